"use strict";
// Small helpers of every page: what the visitor prefers, the log-out, times in the browser's format, uploads.

const YEAR_S = 31536000;

window.lintel = {
  prefer(what, value) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `lintel-${what}=${value}; Path=/; Max-Age=${YEAR_S}; SameSite=Strict${secure}`;
    location.reload();
  },

  async token() {
    const answer = await fetch("/api/v1/session");
    return answer.ok ? (await answer.json()).csrf : "";
  },

  async logout() {
    await fetch("/api/v1/session", { method: "DELETE", headers: { "x-csrf-token": await this.token() } });
    location.replace("/login");
  },
};

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
    if (change.type === "attributes") write(change.target);
    for (const node of change.addedNodes) {
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      if (node.matches("time[datetime]")) write(node);
      node.querySelectorAll("time[datetime]").forEach(write);
    }
  }
}).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["datetime"] });

// The toolkit knocks again when the connection is lost. Whose session is over meanwhile is led to the log-in.
setInterval(async () => {
  if (!window.socket || window.socket.connected || !window.did_handshake) return;
  const answer = await fetch("/api/v1/session").catch(() => null);
  if (answer?.status === 401) location.reload();
}, 2000);
