"""A CDN behind a slow link, on one machine: namespaces, a link emulator, nginx and a late DNS server."""
