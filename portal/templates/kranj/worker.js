// Keeps one page for moments without a network, its style and its icon. Nothing else is kept: what
// somebody is signed in for never is.
"use strict";

const SHELL = "cekr-shell-{{ mark }}";
const KEPT = {{ shell }};

self.addEventListener("install", (event) => {
  const asked = KEPT.map((address) => new Request(address, { cache: "reload", credentials: "omit" }));
  event.waitUntil(caches.open(SHELL).then((shell) => shell.addAll(asked)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const isOld = (name) => name.startsWith("cekr-shell-") && name !== SHELL;
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const { origin, pathname } = new URL(request.url);
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match("/offline")));
  } else if (origin === self.location.origin && KEPT.includes(pathname) && pathname !== "/offline") {
    event.respondWith(fetch(request).catch(() => caches.match(pathname)));
  }
});
