// Live alerts: a native EventSource that inserts rows, says whether it is live, and falls back to asking.
const table = document.getElementById("alerts");
const mark = document.getElementById("live");
const words = document.getElementById("live-words");
const body = table.tBodies[0];
const most = Number(table.dataset.most);
const wanted = table.dataset.state;
const SILENCE_MS = 25000;
const POLL_MS = 5000;
let heard = 0;
let poll = 0;

function say(state, text) {
  if (mark.dataset.state === state) return;
  mark.dataset.state = state;
  words.textContent = text;
}

function cell(row, content, kind) {
  const made = row.insertCell();
  if (kind) made.className = kind;
  made.append(content);
}

function link(path, text) {
  const made = document.createElement("a");
  made.href = path;
  made.textContent = text;
  return made;
}

function level(word) {
  const found = document.querySelector(`template[data-level="${CSS.escape(word)}"]`);
  return found ? found.content.cloneNode(true) : word;
}

function state(word) {
  const made = document.createElement("span");
  made.className = "tag";
  made.classList.add(word);
  made.textContent = word;
  return made;
}

function moment(iso) {
  const made = document.createElement("time");
  made.dateTime = iso;
  made.textContent = `${iso.slice(0, 19).replace("T", " ")} UTC`;
  return made;
}

function insert(alert) {
  if (wanted && alert.state !== wanted) return;
  const known = body.querySelector(`tr[data-id="${CSS.escape(alert.id)}"]`);
  if (known) return;
  const row = body.insertRow(0);
  row.dataset.id = alert.id;
  row.className = "fresh";
  cell(row, level(alert.severity));
  cell(row, link(`/watch/alerts/${encodeURIComponent(alert.id)}`, alert.title), "wide");
  cell(row, link(`/estate/models/${encodeURIComponent(alert.model)}`, alert.model));
  cell(row, alert.technique);
  cell(row, state(alert.state));
  cell(row, String(alert.signals), "num");
  cell(row, moment(alert.raised_at));
  while (body.rows.length > most) body.deleteRow(-1);
  document.getElementById("no-alerts").hidden = true;
}

async function ask() {
  try {
    const answer = await fetch(table.dataset.poll, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const { alerts } = await answer.json();
    alerts.reverse().forEach(insert);
    if (mark.dataset.state === "stalled") words.textContent = "stalled: asking every 5 seconds";
  } catch {
    say("stalled", "stalled");
    words.textContent = "stalled: the server does not answer";
  }
}

function stalled() {
  say("stalled", "stalled: asking every 5 seconds");
  if (!poll) {
    ask();
    poll = setInterval(ask, POLL_MS);
  }
}

function alive() {
  heard = Date.now();
  say("live", "live");
  clearInterval(poll);
  poll = 0;
}

const source = new EventSource(`${table.dataset.stream}?after=${encodeURIComponent(table.dataset.after)}`);
source.addEventListener("open", alive);
source.addEventListener("still", alive);
source.addEventListener("alert", (event) => {
  alive();
  insert(JSON.parse(event.data));
});
source.addEventListener("error", stalled);
setInterval(() => {
  if (heard && Date.now() - heard > SILENCE_MS) stalled();
}, POLL_MS);
