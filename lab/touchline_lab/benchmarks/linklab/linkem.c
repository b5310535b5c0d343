// A link between two network namespaces, in user space, for kernels without sch_netem.
//
// One TUN device in each namespace; every packet read from one is written to the other after the link's
// one-way delay, at the link's rate, out of a queue that drops at its end. Setting up a TLS connection can
// be made slower: the client's first packet with data (ClientHello) and its second flight are held.
//
// The kernels on both sides leave it to the device to cut data into packets, as they do with network cards, so
// that one read or write here stands for up to 64 KB: the link must not take the processor from what is measured
// over it. Where packets get lost, each is one by itself.
//
// usage: linkem NAMESPACE_A DEVICE_A NAMESPACE_B DEVICE_B CONFIGURATION PID_FILE
// A is the client's side. SIGUSR1 has the configuration read again, one line:
//   rtt_ms up_mbit down_mbit queue_bytes loss hold_hello_ms hold_second_flight_ms
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define QUEUE (1 << 16)
#define SECOND 1000000000LL
#define MS 1000000LL
#define FRONT ((int)sizeof(struct virtio_net_hdr))

typedef struct { int64_t due; int length; unsigned char *data; } packet;
typedef struct { packet *queue; unsigned head, tail; int64_t free_at; double bytes_per_ns; } direction;
typedef struct held { int64_t due; int length; unsigned char *data; struct held *next; } held;
typedef struct { int flight; int64_t until; } flow;

static direction ways[2];           // 0: from client to server, 1: back
static int devices[2];
static held *holding;               // sorted by due
static flow flows[65536];           // by the client's port
static double one_way_ms, loss, hold_hello_ms, hold_second_ms;
static long queue_bytes;
static volatile sig_atomic_t reread = 1, stopping;

static void on_reread(int number) { (void)number; reread = 1; }
static void on_stop(int number) { (void)number; stopping = 1; }

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static void fail(const char *what) { perror(what); exit(1); }

static int open_device(const char *namespace, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "/var/run/netns/%s", namespace);
    int place = open(path, O_RDONLY);
    if (place < 0 || setns(place, CLONE_NEWNET)) fail(path);
    close(place);
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (device < 0) fail("/dev/net/tun");
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(device, TUNSETIFF, &request)) fail("TUNSETIFF");
    return device;
}

// Whether a device may hand over several packets as one.
static void set_offload(int together) {
    unsigned offload = together ? TUN_F_CSUM | TUN_F_TSO4 : 0;
    for (int way = 0; way < 2; way++)
        if (ioctl(devices[way], TUNSETOFFLOAD, offload)) fail("TUNSETOFFLOAD");
}

static int on_wire(const unsigned char *data, int length);

// What waits goes on at the new rate; what has left already arrives as it would have.
static void reschedule(double delay_before_ms) {
    int64_t at = now();
    for (int way = 0; way < 2; way++) {
        direction *d = &ways[way];
        int64_t free_at = at;
        for (unsigned i = d->head; i != d->tail; i++) {
            packet *p = &d->queue[i & (QUEUE - 1)];
            if (p->due - (int64_t)(delay_before_ms * MS) <= at) continue;
            free_at += (int64_t)(on_wire(p->data, p->length) / d->bytes_per_ns);
            p->due = free_at + (int64_t)(one_way_ms * MS);
        }
        d->free_at = free_at;
    }
}

static void read_configuration(const char *path) {
    double rtt, up, down, lost, hello, second;
    long bytes;
    FILE *file = fopen(path, "r");
    if (!file) return;
    if (fscanf(file, "%lf %lf %lf %ld %lf %lf %lf", &rtt, &up, &down, &bytes, &lost, &hello, &second) == 7) {
        double delay_before_ms = one_way_ms;
        one_way_ms = rtt / 2;
        ways[0].bytes_per_ns = up / 8000;
        ways[1].bytes_per_ns = down / 8000;
        queue_bytes = bytes;
        loss = lost;
        hold_hello_ms = hello;
        hold_second_ms = second;
        set_offload(lost <= 0);
        reschedule(delay_before_ms);
    }
    fclose(file);
}

// Until when this packet of the client is held, or 0.
static int64_t hold_until(const unsigned char *p, int length, int64_t at) {
    if (hold_hello_ms <= 0 && hold_second_ms <= 0) return 0;
    if (length < 40 || p[0] >> 4 != 4 || p[9] != 6) return 0; // IPv4 and TCP only
    int header = (p[0] & 15) * 4;
    const unsigned char *tcp = p + header;
    int tcp_header = (tcp[12] >> 4) * 4;
    int size = ((p[2] << 8) | p[3]) - header - tcp_header;
    flow *f = &flows[(tcp[0] << 8) | tcp[1]];
    if (tcp[13] & 2) { // SYN: the port begins anew
        f->flight = 0;
        f->until = 0;
        return 0;
    }
    if (tcp[13] & 4 || size <= 0) return 0; // RST, or no data
    const unsigned char *record = tcp + tcp_header;
    int second = record[0] == 0x14 || record[0] == 0x17 || (record[0] == 0x16 && size > 5 && record[5] != 1);
    if (f->flight == 0) {
        f->flight = 1;
        f->until = at + (int64_t)(hold_hello_ms * MS);
    } else if (f->flight == 1 && second) {
        f->flight = 2;
        f->until = at + (int64_t)(hold_second_ms * MS);
    }
    return f->until > at ? f->until : 0;
}

static void hold(unsigned char *data, int length, int64_t due) {
    held *item = malloc(sizeof *item), **place = &holding;
    *item = (held){due, length, data, 0};
    while (*place && (*place)->due <= due) place = &(*place)->next;
    item->next = *place;
    *place = item;
}

// Bytes on the wire: every packet but the first has headers of its own.
static int on_wire(const unsigned char *data, int length) {
    struct virtio_net_hdr front;
    memcpy(&front, data, FRONT);
    length -= FRONT;
    if (front.gso_type == VIRTIO_NET_HDR_GSO_NONE || !front.gso_size || length <= front.hdr_len) return length;
    int packets = (length - front.hdr_len + front.gso_size - 1) / front.gso_size;
    return length + (packets - 1) * front.hdr_len;
}

static void enqueue(int way, unsigned char *data, int length, int64_t at) {
    direction *d = &ways[way];
    int64_t start = d->free_at > at ? d->free_at : at;
    int full = (start - at) * d->bytes_per_ns > queue_bytes || d->tail - d->head >= QUEUE - 1;
    if (full || (loss > 0 && random() / (double)RAND_MAX < loss)) {
        free(data);
        return;
    }
    d->free_at = start + (int64_t)(on_wire(data, length) / d->bytes_per_ns);
    d->queue[d->tail++ & (QUEUE - 1)] = (packet){d->free_at + (int64_t)(one_way_ms * MS), length, data};
}

// Write what is due; gives when something is due next.
static int64_t deliver(void) {
    int64_t at = now(), next = at + SECOND;
    while (holding && holding->due <= at) {
        held *item = holding;
        holding = item->next;
        enqueue(0, item->data, item->length, at);
        free(item);
    }
    if (holding && holding->due < next) next = holding->due;
    for (int way = 0; way < 2; way++) {
        direction *d = &ways[way];
        for (; d->head != d->tail; d->head++) {
            packet *p = &d->queue[d->head & (QUEUE - 1)];
            if (p->due > at) {
                if (p->due < next) next = p->due;
                break;
            }
            if (write(devices[1 - way], p->data, p->length) < 0 && errno != EAGAIN && errno != EIO)
                perror("write");
            free(p->data);
        }
    }
    return next;
}

static void take(int way) {
    static unsigned char buffer[65700];
    for (int count = 0; count < 64; count++) {
        int length = read(devices[way], buffer, sizeof buffer);
        if (length <= 0) return;
        unsigned char *data = malloc(length);
        memcpy(data, buffer, length);
        int64_t at = now(), until = way == 0 ? hold_until(data + FRONT, length - FRONT, at) : 0;
        if (until) hold(data, length, until);
        else enqueue(way, data, length, at);
    }
}

int main(int count, char **words) {
    if (count != 7) {
        fprintf(stderr, "usage: linkem NAMESPACE DEVICE NAMESPACE DEVICE CONFIGURATION PID_FILE\n");
        return 2;
    }
    signal(SIGUSR1, on_reread);
    signal(SIGTERM, on_stop);
    signal(SIGINT, on_stop);
    devices[0] = open_device(words[1], words[2]);
    devices[1] = open_device(words[3], words[4]);
    for (int way = 0; way < 2; way++) {
        ways[way].queue = calloc(QUEUE, sizeof(packet));
        ways[way].bytes_per_ns = 1;
    }
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
    struct sched_param first = {.sched_priority = 5};
    sched_setscheduler(0, SCHED_RR, &first); // a delay that waits for a core is no delay of the link
    FILE *file = fopen(words[6], "w");
    if (!file) fail(words[6]);
    fprintf(file, "%d\n", getpid());
    fclose(file);
    while (!stopping) {
        if (reread) {
            reread = 0;
            read_configuration(words[5]);
        }
        int64_t wait = deliver() - now();
        if (wait < 0) wait = 0;
        struct timespec t = {wait / SECOND, wait % SECOND};
        struct pollfd polled[2] = {{devices[0], POLLIN, 0}, {devices[1], POLLIN, 0}};
        if (ppoll(polled, 2, &t, 0) <= 0) continue;
        for (int way = 0; way < 2; way++)
            if (polled[way].revents & POLLIN) take(way);
    }
    return 0;
}
