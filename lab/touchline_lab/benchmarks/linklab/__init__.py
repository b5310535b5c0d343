"""The link lab: a CDN behind an emulated link, on one machine.

It consists of two network namespaces, a link emulator in user space, nginx and a DNS server that answers
late.
"""
