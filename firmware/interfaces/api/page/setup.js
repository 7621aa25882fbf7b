"use strict";

const field = (id) => document.getElementById(id);

function complain(text) {
  field("trouble").textContent = text;
  field("trouble").hidden = !text;
}

async function create(event) {
  event.preventDefault();
  complain("");
  if (field("password").value !== field("again").value) {
    complain("The two passwords differ.");
    return;
  }
  const body = { name: field("name").value, password: field("password").value };
  if (field("code").value) body.code = field("code").value;
  field("send").disabled = true;
  try {
    const answer = await fetch("/api/v1/setup", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.status === 201 || answer.status === 409) {
      location.replace("/");
      return;
    }
    const { error } = await answer.json();
    if (error.code === "setup_code_required") field("code-label").hidden = false;
    complain(`${error.where}: ${error.message}`);
  } catch {
    complain("The device does not answer.");
  } finally {
    field("send").disabled = false;
  }
}

field("setup").addEventListener("submit", create);
