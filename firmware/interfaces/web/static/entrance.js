"use strict";
// The log-in and the first start: both talk to the native API and then lead on.

const field = (id) => document.getElementById(id);
const said = (name) => document.body.dataset[name];
// What the API says, in the language of the page; the value that it repeats is in the field.
const told = ({ where, message }) => {
  const known = JSON.parse(said("told"));
  return `${where}: ${known[message.replace(/ \(got .*\)$/, "")] ?? message}`;
};
const ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-_";

function complain(text) {
  field("trouble").textContent = text;
  field("trouble").hidden = !text;
}

const send = (path, body) =>
  fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

function onward() {
  const next = new URLSearchParams(location.search).get("next") || "/";
  // Only a path of this device: never another site.
  location.replace(/^\/(?![\/\\])/.test(next) ? next : "/");
}

function wait(seconds) {
  field("send").disabled = true;
  const end = performance.now() + 1000 * seconds;
  const show = () => {
    const left = Math.ceil((end - performance.now()) / 1000);
    if (left <= 0) {
      field("send").disabled = false;
      complain("");
      return;
    }
    complain(said("blocked").replace("{seconds}", left));
    setTimeout(show, 250);
  };
  show();
}

async function refused(answer) {
  if (answer.status === 429) return wait(Number(answer.headers.get("retry-after")) || 10);
  const { error } = await answer.json();
  if (error.code === "https_required") return complain(said("https"));
  if (answer.status === 401) return complain(said("wrong"));
  return complain(told(error));
}

async function login(event) {
  event.preventDefault();
  complain("");
  field("send").disabled = true;
  let blocked = false;
  try {
    const answer = await send("/api/v1/session", { name: field("name").value, password: field("password").value });
    if (answer.status === 201) return onward();
    blocked = answer.status === 429;
    await refused(answer);
  } catch {
    complain(said("silent"));
  } finally {
    if (!blocked) field("send").disabled = false;
  }
}

async function create(event) {
  event.preventDefault();
  complain("");
  if (field("password").value !== field("again").value) {
    complain(said("differ"));
    field("again").focus();
    return;
  }
  const who = { name: field("name").value, password: field("password").value };
  const code = field("code").value ? { code: field("code").value } : {};
  field("send").disabled = true;
  try {
    const made = await send("/api/v1/setup", { ...who, ...code });
    if (made.status === 409) return location.replace("/login");
    if (made.status !== 201) {
      const { error } = await made.json();
      if (error.code === "setup_code_required") field("code-label").hidden = false;
      complain(told(error));
      return;
    }
    const opened = await send("/api/v1/session", who);
    location.replace(opened.status === 201 ? "/wizard" : "/login?next=/wizard");
  } catch {
    complain(said("silent"));
  } finally {
    field("send").disabled = false;
  }
}

function generate() {
  const numbers = crypto.getRandomValues(new Uint32Array(20));
  const password = Array.from(numbers, (number) => ALPHABET[number % ALPHABET.length]).join("");
  field("password").value = field("again").value = password;
  field("generated").textContent = password;
}

field("login")?.addEventListener("submit", login);
field("setup")?.addEventListener("submit", create);
field("generate")?.addEventListener("click", generate);
(field("name") ?? document.body).focus();
