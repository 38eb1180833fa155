// Shows what happens in a run while its page is open. Text goes in as text, never as markup.
"use strict";

const steps = document.querySelector("[data-run]");
const list = document.querySelector("[data-refresh]");

function node(name, state) {
  for (const group of document.querySelectorAll("[data-node]")) {
    if (group.dataset.node === name) {
      group.setAttribute("class", `node ${state}`);
      group.querySelector(".said").textContent = state;
    }
  }
}

function add(id, amount, digits) {
  const place = document.getElementById(id);
  place.textContent = (Number(place.textContent) + amount).toFixed(digits);
}

function ended(said) {
  const row = document.createElement("tr");
  const cells = [said.step, said.state, said.model, Math.round(said.ms), said.tokens, said.usd.toFixed(4)];
  for (const cell of cells) {
    row.appendChild(document.createElement("td")).textContent = String(cell);
  }
  steps.tBodies[0].appendChild(row);
  node(said.step, said.state);
  add("tokens", said.tokens, 0);
  add("usd", said.usd, 4);
  if (said.model) add("calls", 1, 0);
}

if (steps) {
  const source = new EventSource(`/page/runs/${steps.dataset.run}/events?after=${steps.dataset.seen}`);
  source.addEventListener("started", (event) => node(JSON.parse(event.data).step, "running"));
  source.addEventListener("ended", (event) => ended(JSON.parse(event.data)));
  for (const kind of ["finished", "waiting", "paused", "cancelled"]) {
    source.addEventListener(kind, () => { source.close(); location.reload(); });
  }
}
if (list) {
  setTimeout(() => location.reload(), Number(list.dataset.refresh));
}
