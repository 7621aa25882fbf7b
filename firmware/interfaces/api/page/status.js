"use strict";

// What is true now, by topic and the fields that say of which thing. All text goes in by textContent.
const KEYS = {
  "door/state": ["door"],
  "door/alarm": ["door", "kind"],
  "access/reader": ["reader"],
  "reader/link": ["reader"],
  "reader/condition": ["reader"],
  "station/unsafe": ["place"],
  "controller/risk": ["risk"],
  "io/port": ["port"],
  "io/relay": ["relay"],
  "io/relay/trouble": ["relay"],
  "device/info": [],
  "device/phase": [],
};
const SHOWN_EVENTS = 30;
const STAMPS = new Set(["operation", "topic", "id", "at", "cause"]);

const states = new Map();
const place = (id) => document.getElementById(id);

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  for (const child of children) made.append(child);
  return made;
}

function span(text, className) {
  const made = element("span", className);
  made.textContent = text;
  return made;
}

function of(topic) {
  return [...states.values()].filter((state) => state.topic === topic);
}

function fill(id, rows, empty) {
  const target = place(id);
  target.replaceChildren(...(rows.length ? rows : [element("p", "empty", empty)]));
}

// doors

function doorAlarms(door) {
  return of("door/alarm").filter((alarm) => alarm.door === door && alarm.active);
}

function doorRow(state) {
  const title = element("h3");
  title.textContent = state.door;
  const facts = element("p", "");
  facts.append(span(state.position, state.position === "unknown" ? "warn" : ""), ", ");
  facts.append(state.released ? span("released", "good") : span("locked"));
  const row = element("div", "door", title, facts);
  for (const alarm of doorAlarms(state.door)) {
    const line = element("p", "bad");
    line.textContent = `${alarm.kind.replaceAll("_", " ")} ${alarm.detail}`;
    row.append(line);
  }
  const button = element("button", "");
  button.textContent = "Release";
  button.addEventListener("click", () => ask(state.door));
  row.append(button);
  return row;
}

let asked = null;

function ask(door) {
  asked = door;
  place("question").textContent = `Release the door “${door}” now?`;
  place("answer").hidden = true;
  place("confirm").showModal();
}

async function release() {
  place("yes").disabled = true;
  try {
    const answer = await fetch("/api/v1/actions/door.release", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ door: asked }),
    });
    if (answer.ok) {
      place("confirm").close();
      return;
    }
    const { error } = await answer.json();
    place("answer").textContent = error.message;
  } catch {
    place("answer").textContent = "The device does not answer.";
  } finally {
    place("yes").disabled = false;
  }
  place("answer").hidden = false;
}

// the rest

function linkOf(reader) {
  return of("reader/link").find((link) => link.reader === reader);
}

// How an external reader's link stands: its phase, the reason why not, and how safe it is.
function linkWords(link) {
  const words = [link.phase + (link.reason ? `: ${link.reason}` : "")];
  if (link.phase === "connected") words.push(link.secure ? "secure channel" : "clear text");
  const condition = of("reader/condition").find((each) => each.reader === link.reader);
  if (condition && condition.tamper) words.push("tampered");
  if (condition && condition.power_failed) words.push("power failed");
  return words;
}

function unsafeRow(state) {
  return element("div", "row", span(state.place), span(state.detail, "bad"));
}

function readerRow(state) {
  const left = span(state.alias || state.reader);
  const light = state.led ? `light ${state.led.split(" ").join(", ")}` : "no light";
  const words = [state.door ? `at ${state.door}` : "", state.keypad ? "keypad" : "", light];
  if (state.discarded) words.push(`${state.discarded} frames discarded`);
  const link = linkOf(state.reader);
  if (link) words.push(...linkWords(link));
  const bad = link && link.phase === "connected" && !link.secure;
  return element("div", "row", left, span(words.filter(Boolean).join("; "), bad ? "bad" : "quiet"));
}

function both(node, name) {
  return name && name !== node ? `${name} (${node})` : node;
}

function portRow(state) {
  const label = both(state.port, state.name);
  const mood = state.tampered ? "bad" : state.active ? "warn" : "quiet";
  const text = `${state.direction}, ${state.circuit}${state.active ? ", active" : ""}${state.tampered ? ", tampered" : ""}`;
  return element("div", "row", span(label), span(text, mood));
}

function relayRow(state) {
  const stuck = of("io/relay/trouble").some((trouble) => trouble.relay === state.relay && trouble.stuck);
  const label = both(state.relay, state.alias);
  return element("div", "row", span(label), span(stuck ? "does not follow" : state.on ? "on" : "off", stuck ? "bad" : state.on ? "good" : "quiet"));
}

function drawDevice() {
  const info = of("device/info")[0];
  const phase = of("device/phase")[0];
  place("phase").textContent = phase ? `${phase.phase.replaceAll("_", " ")} ${phase.detail}` : "";
  if (!info) return;
  place("product").textContent = info.product;
  document.title = info.product;
  const rows = [
    ["Model", info.model],
    ["Serial number", info.serial],
    ["Firmware", `${info.version} in slot ${info.slot}`],
    ["Board", info.board],
    ["Hardware", info.simulated ? "simulated" : info.chip_id],
    ["Capabilities", info.capabilities.join(", ")],
  ];
  const parts = rows.flatMap(([name, value]) => {
    const term = element("dt");
    const text = element("dd");
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  });
  place("device").replaceChildren(...parts);
}

function draw() {
  pending = false;
  const risks = of("controller/risk");
  const unsafe = [...of("station/unsafe"), ...risks.map((each) => ({ place: "controller", detail: each.detail }))];
  place("unsafe-part").hidden = unsafe.length === 0;
  fill("unsafe", unsafe.map(unsafeRow), "");
  fill("doors", of("door/state").map(doorRow), "This device has no door.");
  fill("readers", of("access/reader").map(readerRow), "This device has no reader.");
  fill("ports", of("io/port").map(portRow), "This device has no port.");
  fill("relays", of("io/relay").map(relayRow), "This device has no relay.");
  drawDevice();
}

let pending = false;

function drawSoon() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(draw);
}

// events

function note(event) {
  const words = Object.entries(event)
    .filter(([name, value]) => !STAMPS.has(name) && value !== "" && value !== null && String(value) !== "")
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "object" ? JSON.stringify(value) : value}`);
  const time = element("time");
  time.textContent = event.at ? new Date(event.at).toLocaleTimeString() : "";
  const line = element("li", "row", element("span", "", time, span(event.topic)), span(words.join(", "), "quiet"));
  const list = place("events");
  list.prepend(line);
  while (list.children.length > SHOWN_EVENTS) list.lastElementChild.remove();
}

function take(event) {
  const keys = KEYS[event.topic];
  if (keys) {
    const key = [event.topic, ...keys.map((name) => event[name])].join("\n");
    if (event.operation === "deleted") states.delete(key);
    else states.set(key, event);
    drawSoon();
  }
  if (event.operation !== "initialised") note(event);
}

// What happened before this page was open, for those who may read the journal.
async function remember() {
  const answer = await fetch(`/api/v1/journal?limit=${SHOWN_EVENTS}`);
  if (!answer.ok) return;
  const { lines } = await answer.json();
  for (const line of lines) note({ ...line.fields, topic: line.topic, at: line.at });
}

function listen() {
  const source = new EventSource("/api/v1/events");
  const say = (up, text) => {
    place("link").textContent = text;
    place("link").dataset.up = up;
  };
  source.onopen = () => {
    states.clear();
    say("yes", "live");
    drawSoon();
  };
  source.onmessage = (message) => take(JSON.parse(message.data));
  source.onerror = () => {
    say("no", "connection lost, trying again");
    if (source.readyState === EventSource.CLOSED) setTimeout(() => { source.close(); listen(); }, 3000);
  };
}

place("no").addEventListener("click", () => place("confirm").close());
place("yes").addEventListener("click", release);
// Without the journal (a viewer, or a device that is starting) the list begins empty: the live events follow.
remember().then(listen, listen);
