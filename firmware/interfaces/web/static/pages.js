"use strict";
// Small helpers of every page: what the visitor prefers, the log-out, times in the browser's format, uploads.

const YEAR_S = 31536000;

window.lintel = {
  // What is written and not saved, by the name of its form: whoever leaves the page is asked.
  unsaved: new Set(),

  mark(form, changed) {
    if (changed) this.unsaved.add(form);
    else this.unsaved.delete(form);
  },

  prefer(what, value) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `lintel-${what}=${value}; Path=/; Max-Age=${YEAR_S}; SameSite=Strict${secure}`;
    location.reload();
  },

  async token() {
    const answer = await fetch("/api/v1/session");
    return answer.ok ? (await answer.json()).csrf : "";
  },

  // Sends a form to the native API as it is, or as JSON with its files in base64, and says "sent" with the answer.
  async send(form) {
    const bar = form.querySelector("progress");
    const button = form.querySelector("[type=submit]");
    const fields = new FormData(form);
    const request = new XMLHttpRequest();
    const ended = () => {
      if (bar) bar.hidden = true;
      if (button) button.disabled = false;
      const detail = { status: request.status, body: request.responseText };
      if (request.status >= 200 && request.status < 300) form.reset();
      form.dispatchEvent(new CustomEvent("sent", { detail }));
    };
    if (button) button.disabled = true;
    request.open("POST", form.dataset.path);
    request.setRequestHeader("x-csrf-token", await this.token().catch(() => ""));
    request.upload.addEventListener("progress", (event) => {
      if (!bar || !event.lengthComputable) return;
      bar.hidden = false;
      bar.value = (100 * event.loaded) / event.total;
    });
    request.addEventListener("loadend", ended);
    if (form.dataset.how !== "json") return request.send(fields);
    request.setRequestHeader("content-type", "application/json");
    const body = {};
    for (const [name, value] of fields) {
      if (!(value instanceof File)) body[name] = value;
      else if (value.size && form.elements[name].dataset.as === "text") body[name] = await value.text();
      else if (value.size) body[name] = base64(new Uint8Array(await value.arrayBuffer()));
    }
    request.send(JSON.stringify(body));
  },

  // Lets the browser keep a text as a file.
  keep(name, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  },

  async logout() {
    await fetch("/api/v1/session", { method: "DELETE", headers: { "x-csrf-token": await this.token() } });
    location.replace("/login");
  },
};

function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

// Counts down what is marked with the seconds that are left.
function countdown(element) {
  element.end = performance.now() + 1000 * Number(element.dataset.left);
  tick(element);
}

function tick(element) {
  const left = Math.max(0, Math.round((element.end - performance.now()) / 1000));
  element.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

// Pictures that go on for ever begin when the page is there, or it would be loading for ever; and begin anew after a fault.
function live() {
  for (const image of document.querySelectorAll("img[data-live]")) {
    if (image.dataset.live === image.dataset.shown) continue;
    image.dataset.shown = image.dataset.live;
    const begin = () => {
      if (image.isConnected) image.src = image.dataset.live && `${image.dataset.live}#${Date.now()}`;
    };
    image.onerror = () => image.dataset.live && setTimeout(begin, 2000);
    if (image.dataset.live) begin();
    else image.removeAttribute("src");
  }
}

setInterval(() => document.readyState === "complete" && live(), 250);

setInterval(() => document.querySelectorAll("[data-left]").forEach((each) => each.end && tick(each)), 1000);

addEventListener("beforeunload", (event) => {
  if (lintel.unsaved.size) event.preventDefault();
});

const STYLES = {
  time: { dateStyle: "medium", timeStyle: "medium" },
  date: { dateStyle: "medium" },
  clock: { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 },
};

function write(element) {
  const at = new Date(element.getAttribute("datetime"));
  const style = STYLES[element.dataset.style] ?? STYLES.time;
  element.textContent = Number.isNaN(at.getTime()) ? "" : new Intl.DateTimeFormat(undefined, style).format(at);
}

new MutationObserver((changes) => {
  for (const change of changes) {
    if (change.type === "attributes") (change.attributeName === "datetime" ? write : countdown)(change.target);
    for (const node of change.addedNodes) {
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      if (node.matches("time[datetime]")) write(node);
      node.querySelectorAll("time[datetime]").forEach(write);
      if (node.matches("[data-left]")) countdown(node);
      node.querySelectorAll("[data-left]").forEach(countdown);
    }
  }
}).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["datetime", "data-left"] });

// The toolkit knocks again when the connection is lost. Whose session is over meanwhile is led to the log-in.
setInterval(async () => {
  if (!window.socket || window.socket.connected || !window.did_handshake) return;
  const answer = await fetch("/api/v1/session").catch(() => null);
  if (answer?.status === 401) location.reload();
}, 2000);
