// What pages do in the browser beyond links and forms: formats of its reader, ages, refreshing, keys, copying.
"use strict";

const zone = document.documentElement.dataset.zone;
const formats = {
  number: new Intl.NumberFormat(undefined, { maximumFractionDigits: 8 }),
  money: new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
  day: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" }),
  week: new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" }),
  weekday: new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", timeZone: "UTC" }),
  moment: new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "numeric", minute: "2-digit", timeZone: zone }),
  whole: new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long", timeZone: zone }),
};

function localize(root) {
  const each = (selector, write) => root.querySelectorAll(selector).forEach((element) => {
    if (!element.dataset.local) { element.dataset.local = "1"; write(element); }
  });
  each("data[value]", (e) => { e.textContent = formats["money" in e.dataset ? "money" : "number"].format(e.value); });
  each("time[data-day]", (e) => { e.textContent = formats.day.format(new Date(e.dateTime)); });
  each("time[data-moment]", (e) => { e.textContent = formats.moment.format(new Date(e.dateTime)); e.title = formats.whole.format(new Date(e.dateTime)); });
  each("[data-week]", (e) => { e.textContent = formats.week.format(new Date(e.dataset.week)); });
  each("[data-weekday]", (e) => { e.textContent = formats.weekday.format(new Date(e.dataset.weekday)); });
}

function showAges() {
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  document.querySelectorAll("[data-age]").forEach((element) => {
    const seconds = Math.max(0, (Date.now() - new Date(element.dataset.age)) / 1000);
    const [length, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
    element.textContent = `(${words.format(-Math.round(length), unit)})`;
    element.classList.toggle("old", seconds > 900);
  });
}

function tell(text) { document.getElementById("live").textContent = text; }

// Refreshing: a stream says when the answer was read anew; hidden pages listen to none.
let stream = null;
let live = null; // stays while a failure is shown, so that a screen on the wall comes back by itself
function listen() {
  stream?.close();
  stream = null;
  const select = document.querySelector("[data-every]");
  live = document.querySelector("[data-live]")?.dataset.live ?? live;
  const every = Number(read("every") ?? 0);
  if (select) select.value = String(every);
  if (!live || !every || document.hidden) return;
  stream = new EventSource(`${live}&every=${every}`);
  stream.addEventListener("read", () => reload("The page was refreshed."));
  stream.addEventListener("error", () => {
    if (stream?.readyState !== EventSource.CLOSED) return; // else the browser tries again by itself
    if (select) select.value = "0";
    tell("Refreshing by itself has stopped. Please reload the page.");
  });
  stream.addEventListener("failed", (event) => tell(`Refreshing failed: ${JSON.parse(event.data).title}`));
}

// Reads the answer anew as it is shown: with the rows, lanes and lines that somebody has opened.
async function reload(told) {
  const address = new URL(location.href);
  ["renew", "at", "skip"].forEach((name) => address.searchParams.delete(name));
  const rows = document.querySelectorAll("#part > tr:not(.more), #part > .order, .list tbody > tr:not(.more)").length;
  if (rows > 100) address.searchParams.set("rows", rows);
  const lanes = document.querySelectorAll(".lane:not(.axis)").length;
  if (lanes > 8) address.searchParams.set("lanes", lanes);
  const keys = new Set([...document.querySelectorAll("details[data-key][open]")].map((details) => details.dataset.key));
  const card = document.querySelector("#card > *") && opened?.dataset.op;
  const places = [...document.querySelectorAll(".floor .scroll")].map((part) => part.scrollTop);
  const { scrollX, scrollY } = window;
  await htmx.ajax("GET", address.pathname + address.search, { target: "#answer", select: "#answer", swap: "outerHTML" });
  document.querySelectorAll("details[data-key]").forEach((details) => { if (keys.has(details.dataset.key)) details.open = true; });
  document.querySelectorAll(".floor .scroll").forEach((part, index) => { part.scrollTop = places[index] ?? 0; });
  window.scrollTo(scrollX, scrollY);
  const bar = card && document.querySelector(`a.bar[data-op="${CSS.escape(card)}"]`);
  if (bar) await showCard(bar);
  tell(told);
}

function read(name) { try { return localStorage.getItem(name); } catch { return null; } }
function keep(name, value) { try { localStorage.setItem(name, value); } catch { /* not kept */ } }

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-every]")) { keep("every", event.target.value); event.stopPropagation(); listen(); }
});
document.addEventListener("visibilitychange", () => listen());

document.addEventListener("click", async (event) => {
  const bar = event.target.closest("a.bar");
  if (bar?.dataset.op && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    await showCard(bar);
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const told = await copied(document.querySelector(copy.dataset.copy));
    tell(told);
    const before = copy.textContent;
    copy.textContent = told;
    setTimeout(() => { copy.textContent = before; }, 1500);
  }
  if (event.target.closest("#theme")) switchTheme();
  if (event.target.closest("[data-close]")) closeCard();
});

// Copies a text; where the browser lets no page do that, selects it.
async function copied(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return "Copied";
  } catch {
    getSelection().selectAllChildren(element);
    return "Selected: press Ctrl+C";
  }
}

let opened = null; // the bar whose card is shown
async function showCard(bar) {
  opened = bar;
  const given = bar.closest("[data-of]").dataset.of;
  const address = given + (given.includes("?") && !given.endsWith("?") ? "&" : "") + bar.dataset.op;
  await htmx.ajax("GET", address, { target: "#card", select: "#answer > *", swap: "innerHTML" });
}

function closeCard() {
  const card = document.getElementById("card");
  if (!card?.hasChildNodes()) return;
  card.replaceChildren();
  opened?.focus();
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  keep("theme", root.dataset.theme);
}

// Bars are one stop of the Tab key for each lane; arrow keys go from bar to bar.
document.addEventListener("keydown", (event) => {
  const bar = event.target.closest?.("a.bar");
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  if (bar && event.key in steps) {
    event.preventDefault();
    const bars = [...bar.closest("svg").querySelectorAll("a.bar")];
    bars[bars.indexOf(bar) + steps[event.key]]?.focus();
  }
  if (event.key === "Escape") closeCard();
});

// Search as you type: from three characters on.
document.addEventListener("input", (event) => {
  const form = event.target.closest("[data-typed]");
  if (form && event.target.value.trim().length >= 3) form.dispatchEvent(new CustomEvent("typed", { bubbles: true }));
});

function refresh(root) {
  localize(root);
  root.querySelectorAll("svg.track").forEach((track) => track.querySelector("a.bar")?.removeAttribute("tabindex"));
  showAges();
}

// Blank fields are left out, and what is being asked already is not asked again: Enter is a change and a submit.
const asking = new WeakMap();
document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = event.detail;
  const form = ctx.sourceElement;
  if (!form.matches("form.filters")) return;
  [...ctx.request.body].filter(([, value]) => value === "").forEach(([name]) => ctx.request.body.delete(name));
  const wanted = new URLSearchParams(ctx.request.body).toString();
  if (asking.get(form)?.wanted === wanted) event.preventDefault();
  else asking.set(form, { wanted, ctx });
});
document.addEventListener("htmx:finally:request", (event) => {
  const { ctx } = event.detail;
  if (asking.get(ctx.sourceElement)?.ctx === ctx) asking.delete(ctx.sourceElement);
});

// Whoever asked for more goes on at the first of it.
let before = null;
document.addEventListener("htmx:before:request", (event) => {
  tell("Reading …");
  const more = event.target.closest?.("tr") ?? event.target.closest?.(".more, .further");
  before = more?.contains(document.activeElement) ? more.previousElementSibling : null;
});
document.addEventListener("htmx:error", () => tell("The server could not be reached. Please try again."));
document.addEventListener("htmx:after:swap", (event) => {
  refresh(document);
  tell("The new answer is shown.");
  before?.nextElementSibling?.querySelector("a, summary")?.focus();
  before = null;
  if (event.detail?.ctx?.target?.id === "answer" || event.target.id === "answer" || event.target.querySelector?.("#answer")) listen();
});
refresh(document);
listen();
setInterval(showAges, 5000);
