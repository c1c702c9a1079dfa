// The website's own script: what a page cannot do with forms and htmx.
"use strict";

// Passkeys: a form with `data-passkey` asks its `data-begin` what to ask the device, and is sent
// with the device's answer in its field `credential`.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.dataset.passkey) return;
  event.preventDefault();
  answerWithPasskey(form);
});

async function answerWithPasskey(form) {
  const fault = (name) => {
    for (const place of form.querySelectorAll("[data-passkey-fault]")) {
      place.hidden = place.dataset.passkeyFault !== name;
    }
  };
  fault(null);
  if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) return fault("missing");
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const body = new URLSearchParams(new FormData(form));
    const headers = { "X-CSRF-Token": form.elements.csrf.value };
    const begun = await fetch(form.dataset.begin, { method: "POST", body, headers });
    // Led to where who they are is proven anew.
    if (begun.redirected) return void location.assign(begun.url);
    if (!begun.ok) return fault("refused");
    const { ceremony, publicKey } = await begun.json();
    const credential = form.dataset.passkey === "create"
      ? await navigator.credentials.create({
          publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey),
        })
      : await navigator.credentials.get({
          publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
        });
    form.elements.ceremony.value = ceremony;
    form.elements.credential.value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch {
    fault("cancelled");
  } finally {
    button.disabled = false;
  }
}

// How long a purchase waits: counted down between what the server says. Without this script the
// page tells the moment, which needs no counting.
setInterval(() => {
  for (const place of document.querySelectorAll("[data-left]")) {
    const left = Math.max(0, place.dataset.left - 1);
    place.dataset.left = left;
    place.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  }
}, 1000);

// The stream says that the session is over: what the page shows is for nobody any more.
document.addEventListener("signed-out", () => location.reload());

// The page without a network, for whoever uses the installed website: a page asks by `data-worker`.
if (document.querySelector("[data-worker]") && "serviceWorker" in navigator) {
  const worker = { createScriptURL: () => "/worker.js" };
  const made = window.trustedTypes ? trustedTypes.createPolicy("cekr", worker) : worker;
  navigator.serviceWorker.register(made.createScriptURL("")).catch(() => {});
}

// A page that waits for something elsewhere: `data-wait` answers when it has come to its end.
async function waitForEnd(place) {
  for (;;) {
    try {
      const answer = await fetch(place);
      if (answer.ok && (await answer.json()).ended) return void location.reload();
      if (answer.ok) continue;
    } catch {
      // The page comes again by itself.
    }
    return;
  }
}
for (const form of document.querySelectorAll("form[data-wait]")) waitForEnd(form.dataset.wait);

// A form that sends the browser on by itself.
for (const form of document.querySelectorAll("form[data-send]")) form.submit();
