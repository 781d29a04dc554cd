// Bringing the page to life: tables at once, cards and charts when they come into view or the browser is idle.

const CARDS_AT_ONCE = 6;
const PAPER_WIDTH = "660px";
const IDLE_WITHIN = 2000;
const tables = {};
const drawnCharts = new Set();
const waiting = new Map();
let settings = null;
let isResting = false;

/** Call `act` once with each element: when it is about to come into view, or when nothing else is to be done. */
function whenInView(act) {
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) bring(entry.target);
  }, { rootMargin: "300px" });
  const observe = (element) => {
    waiting.set(element, { act, observer });
    observer.observe(element);
    bringRest().catch(tell);
  };
  return { observe };
}

async function bring(element) {
  const found = waiting.get(element);
  if (!found) return;
  waiting.delete(element);
  found.observer.unobserve(element);
  await found.act(element).catch(tell);
}

const idle = () => new Promise((done) => (window.requestIdleCallback ?? setTimeout)(done, { timeout: IDLE_WITHIN }));

/** What waits and can be seen by scrolling: a folded group is brought when it is opened. */
const inReach = () => [...waiting.keys()].filter((one) => one.isConnected && !one.closest("details:not([open])"));

/** Bring what nobody has scrolled to, one by one: a page may be printed or searched without that. */
async function bringRest() {
  if (isResting) return;
  isResting = true;
  try {
    for (await idle(); inReach().length; await idle()) await bring(inReach()[0]);
  } finally {
    isResting = false;
  }
}

function tell(error) {
  const box = byId("trouble");
  box.hidden = false;
  box.textContent = `Part of this page could not be shown: ${error.message}`;
  throw error;
}

async function drawChart(chart) {
  const Plotly = await chartLibrary();
  if (!chart.isConnected) return;
  const size = { width: chart.clientWidth, height: chart.clientHeight };
  const { traces, layout: figure } = chart.figure(size);
  await Plotly.react(chart, traces, { ...figure, width: size.width }, CONFIG);
  drawnCharts.add(chart);
  chart.dataset.drawn = "yes";
}

const charts = whenInView(drawChart);
const cards = whenInView(async (card) => {
  const at = settings.drawn.indexOf(card.seriesId);
  const drawing = at < 0 ? null : await unpackJson(`drawn-${at}`);
  fillCard(card, card.seriesId, drawing, tables.series, settings, () => unpackJson(`parts-${at}`));
  for (const chart of card.querySelectorAll(".chart")) charts.observe(chart);
});

const studies = whenInView(async (host) => {
  fillStudy(host, await unpackJson(`study-${host.dataset.study}`));
  for (const chart of host.querySelectorAll(".chart")) charts.observe(chart);
});

function newCard(id) {
  const card = el("article", "card");
  card.seriesId = id;
  card.style.minHeight = "360px";
  cards.observe(card);
  return card;
}

/** Cards of `ids`, a few at a time. */
function fillList(list, ids) {
  list.replaceChildren();
  const more = el("button", "more");
  more.type = "button";
  let shown = 0;
  const extend = () => {
    const next = ids.slice(shown, shown + CARDS_AT_ONCE);
    shown += next.length;
    list.append(...next.map(newCard));
    more.textContent = `Show ${Math.min(CARDS_AT_ONCE, ids.length - shown)} more of ${ids.length - shown}`;
    if (shown < ids.length) list.append(more);
    else more.remove();
  };
  more.addEventListener("click", extend);
  extend();
}

function buildCards(host) {
  const { drawn, worst } = settings;
  const list = el("div");
  const lists = [[`Worst ${worst}`, drawn.slice(0, worst)], [`Sample of ${drawn.length - worst}`, drawn.slice(worst)]];
  if (worst < drawn.length) host.append(el("div", "tools", choice(lists, (ids) => fillList(list, ids))));
  host.append(list);
  fillList(list, drawn.slice(0, worst));
}

function choice(lists, choose) {
  const buttons = lists.map(([label, ids]) => {
    const button = el("button", "", label);
    button.type = "button";
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      choose(ids);
    });
    return button;
  });
  buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(at === 0)));
  return el("span", "tabs", ...buttons);
}

async function buildTable(host) {
  const name = host.dataset.table;
  const onOpen = name === "series" ? (id) => { location.hash = seriesAddress(id); } : null;
  tables[name] = new DataTable(host, name, await unpackJson(`data-${name}`), onOpen);
}

/** Open the series that the address names, under the table. */
function followAddress() {
  const [, name] = location.hash.match(/^#series=(.*)$/) ?? [];
  if (name === undefined) return;
  const id = decodeURIComponent(name);
  const known = settings.drawn.includes(id) || tables.series?.data[0].includes(id);
  const opened = known ? newCard(id) : el("p", "absent", `No series is called “${id}”.`);
  byId("opened").replaceChildren(opened);
  opened.scrollIntoView({ block: "start" });
}

/** A link of the summary puts its filter on the table it leads to. */
function followQueries() {
  for (const link of document.querySelectorAll("a[data-query]")) {
    link.addEventListener("click", () => tables[link.hash.slice(1)]?.ask(link.dataset.query));
  }
}

function followTheme() {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const chart of drawnCharts) {
      if (chart.isConnected) drawChart(chart).catch(tell);
      else drawnCharts.delete(chart);
    }
  });
}

/** Draw all charts as wide as a sheet of paper, and again as wide as the page when it has been printed. */
function followPrinting() {
  const redraw = (width) => {
    for (const chart of drawnCharts) {
      chart.style.width = width;
      drawChart(chart).catch(tell);
    }
  };
  addEventListener("beforeprint", () => {
    redraw(PAPER_WIDTH);
    for (const element of inReach()) bring(element);
  });
  addEventListener("afterprint", () => redraw(""));
}

async function start() {
  if (!("DecompressionStream" in window)) throw new Error("this browser is too old to unpack it; use one of 2023 or later");
  settings = await unpackJson("settings");
  await Promise.all([...document.querySelectorAll("[data-table]")].map(buildTable));
  followQueries();
  const host = byId("cards");
  if (host) buildCards(host);
  for (const study of document.querySelectorAll("[data-study]")) studies.observe(study);
  followTheme();
  followPrinting();
  followAddress();
  addEventListener("hashchange", followAddress);
  document.documentElement.dataset.ready = "yes";
}

start().catch(tell);
