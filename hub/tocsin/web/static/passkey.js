/* Passkeys, which only a script can ask for. A form with data-passkey="get" or "create" is held back, the browser is
   asked, and the answer goes into the form's hidden fields; the rest is an ordinary form. Nothing else runs here. */

"use strict";

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

const keys = (names) =>
  (names || "")
    .split(" ")
    .filter(Boolean)
    .map((id) => ({ type: "public-key", id: bytes(id) }));

function challenge(form) {
  const chosen = form.querySelector("[data-challenge]:checked");
  return bytes((chosen || form).dataset.challenge);
}

async function get(form) {
  const found = await navigator.credentials.get({
    publicKey: {
      challenge: challenge(form),
      rpId: form.dataset.rp,
      allowCredentials: keys(form.dataset.allow),
      userVerification: "required",
      timeout: 120000,
    },
  });
  return {
    credential: text(found.rawId),
    client_data: text(found.response.clientDataJSON),
    authenticator_data: text(found.response.authenticatorData),
    signature: text(found.response.signature),
  };
}

async function create(form) {
  const { handle, user, rp } = form.dataset;
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: challenge(form),
      rp: { id: rp, name: "Tocsin" },
      user: { id: bytes(user), name: handle, displayName: handle },
      pubKeyCredParams: [
        { type: "public-key", alg: -7 },
        { type: "public-key", alg: -8 },
      ],
      excludeCredentials: keys(form.dataset.exclude),
      authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
      attestation: "none",
      timeout: 120000,
    },
  });
  return {
    credential: text(made.rawId),
    client_data: text(made.response.clientDataJSON),
    attestation: text(made.response.attestationObject),
  };
}

const WHY = {
  NotAllowedError: "The passkey was not used: it was cancelled, or it took too long. Try again.",
  InvalidStateError: "This device has a passkey of yours already.",
  SecurityError: "Passkeys do not work at this address.",
  NotSupportedError: "This device has no passkey that fits.",
};

function ready(form) {
  const status = form.querySelector("[data-status]");
  const button = form.querySelector("button");
  status.textContent = "";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    status.textContent = "Your device asks you now.";
    try {
      const answer = await (form.dataset.passkey === "create" ? create : get)(form);
      for (const [name, value] of Object.entries(answer)) form.elements[name].value = value;
      form.submit();
    } catch (error) {
      status.textContent = WHY[error.name] || "That did not work. Open the page again and repeat it.";
      button.disabled = false;
    }
  });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (window.PublicKeyCredential) ready(form);
  else form.querySelector("[data-status]").textContent = "This browser knows no passkeys, or the page is not secure.";
}
