// A front end in Node that needs nothing but a connection to Redis.
//
//   node submit.mjs redis://127.0.0.1:6379/0 https://example.org/clip.mp4 > answer.json
//
// Redis's own protocol is spoken here, so that it runs without packages; with a Redis client of yours it
// is three commands: TIME, LPUSH touchline MESSAGE, BLPOP touchline:reply:TOKEN SECONDS.
import { randomBytes } from "node:crypto";
import net from "node:net";

const [redisUrl, videoUrl] = process.argv.slice(2);
const SECONDS = 30;
const QUEUE = process.env.QUEUE_NAME ?? "touchline";

/** Send one command and return its reply: a Buffer, a number, null, or an array of these. */
function call(socket, ...words) {
  const parts = words.map((word) => Buffer.from(String(word)));
  socket.write(`*${parts.length}\r\n`);
  for (const part of parts) socket.write(Buffer.concat([Buffer.from(`$${part.length}\r\n`), part, Buffer.from("\r\n")]));
  return new Promise((resolve, reject) => {
    let data = Buffer.alloc(0);
    const take = (chunk) => {
      data = Buffer.concat([data, chunk]);
      const found = parse(data, 0);
      if (!found) return;
      socket.off("data", take);
      found.value instanceof Error ? reject(found.value) : resolve(found.value);
    };
    socket.on("data", take);
    socket.once("error", reject);
  });
}

/** One reply of Redis (RESP 2) from a place on, or undefined while it is not complete. */
function parse(data, at) {
  const line = data.indexOf("\r\n", at);
  if (line < 0) return undefined;
  const text = data.toString("utf8", at + 1, line);
  const next = line + 2;
  switch (String.fromCharCode(data[at])) {
    case "+": return { value: Buffer.from(text), next };
    case "-": return { value: new Error(text), next };
    case ":": return { value: Number(text), next };
    case "$": {
      const length = Number(text);
      if (length < 0) return { value: null, next };
      if (data.length < next + length + 2) return undefined;
      return { value: data.subarray(next, next + length), next: next + length + 2 };
    }
    case "*": {
      if (Number(text) < 0) return { value: null, next };
      const items = [];
      let place = next;
      for (let i = 0; i < Number(text); i++) {
        const item = parse(data, place);
        if (!item) return undefined;
        items.push(item.value);
        place = item.next;
      }
      return { value: items, next: place };
    }
    default: return { value: new Error(`unexpected reply ${text}`), next };
  }
}

const url = new URL(redisUrl);
const socket = net.connect(Number(url.port || 6379), url.hostname);
if (url.password) await call(socket, "AUTH", ...(url.username ? [url.username] : []), decodeURIComponent(url.password));
if (url.pathname.length > 1) await call(socket, "SELECT", url.pathname.slice(1));

// deadlines count by Redis's clock
const [seconds, micros] = await call(socket, "TIME");
const now = Number(seconds) + Number(micros) / 1e6;
const token = randomBytes(10).toString("hex");
const challenge = {
  challenge_id: `node-${token}`, video_url: videoUrl, kind: "gsr", submitted_at: now, deadline: now + SECONDS,
};
const body = [[challenge, token], {}, { callbacks: null, errbacks: null, chain: null, chord: null }];
const message = {
  body: Buffer.from(JSON.stringify(body)).toString("base64"),
  "content-type": "application/json",
  "content-encoding": "utf-8",
  headers: { task: "touchline.answer", id: token, root_id: token, lang: "js", ignore_result: true },
  properties: {
    delivery_tag: token, delivery_info: { exchange: "", routing_key: QUEUE }, body_encoding: "base64", priority: 0,
  },
};
await call(socket, "LPUSH", QUEUE, JSON.stringify(message));

const reply = await call(socket, "BLPOP", `touchline:reply:${token}`, SECONDS + 1);
socket.end();
if (!reply) throw new Error("no answer before the deadline");
const head = reply[1].readUInt32BE(0);
const header = JSON.parse(reply[1].toString("utf8", 4, 4 + head));
if (header.error) {
  console.error(header.error);
  process.exit(1);
}
process.stdout.write(reply[1].subarray(4 + head));
