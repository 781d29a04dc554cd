// A series on the page: its name, what was done to it, its figures, and what stands behind them.

const STATISTICS_VIEW = "Statistics";
const NOT_DRAWN = "Not among the series drawn here; clean.parquet and forecasts.parquet hold its values.";
const NO_VALUES = "This run has no clean values of this series; the ledger says why.";

const seriesAddress = (id) => `#series=${encodeURIComponent(id)}`;

const KEPT = { none: "nothing", outliers: "outliers", anomalies: "anomalies", "outliers+anomalies": "both" };

/** What the values of a series are measured in, for its axes. */
function unitOf(drawing, settings) {
  if (drawing.unit) return settings.value ? `${settings.value} (${drawing.unit})` : drawing.unit;
  return settings.value ?? "value, as in the source";
}

/** What errors of a series are measured in that are not scaled, as the end of a title. */
const inUnits = (drawing) => (drawing?.unit ? `, ${drawing.unit}` : ", in the values' unit");

/** A bar a name, the chosen one in the accent. */
function bars(title, pairs, chosen, write = digits) {
  if (!pairs.length) return null;
  const most = Math.max(...pairs.map(([, value]) => value)) || 1;
  const lines = pairs.map(([name, value]) => {
    const bar = el("i");
    bar.style.width = `${(100 * value) / most}%`;
    const label = Object.assign(el("span", "", modelName(name)), { title: name });
    return el("div", name === chosen ? "measure chosen" : "measure", label, el("span", "rail", bar), el("span", "value", write(value)));
  });
  return el("div", "", el("h4", "", title), ...lines);
}

/** The series' row of the big table, as a function from key to value. */
function facts(table, id) {
  const row = table ? table.data[0].indexOf(id) : -1;
  return (key) => (row < 0 ? null : table.data[table.columns.findIndex((column) => column.key === key)]?.[row] ?? null);
}

/** What the guard measured: the error of each way of cleaning, the kept one in the accent, and why. */
function guard(judged) {
  if (!judged) return null;
  const block = bars("Error of a backtest, by what is cleaned", judged.errors.map(([name, value]) => [KEPT[name] ?? name, value]), KEPT[judged.kept] ?? judged.kept);
  if (judged.reason) block.append(el("p", "note", judged.reason));
  return block;
}

/** What injected spikes cost each strategy; one is chosen only where the series has anomalies. */
function handling(drawing, fact) {
  const block = bars(`Error with injected spikes${inUnits(drawing)}`, drawing?.handling ?? [], drawing?.history?.anomalous ? fact("handling") : null);
  if (block && drawing.handled_because) block.append(el("p", "note", drawing.handled_because));
  return block;
}

/** A block of bars a column of the source that holds categories. */
function categories(columns) {
  return columns.map(({ column, top, more }) => {
    const block = bars(`Categories of ${column}`, top, null, WRITE.share);
    if (block && more) block.append(el("p", "note", `and ${digits(more)} more`));
    return block;
  });
}

/** What each past estimate of regularity decided; worth a look where they differ. */
function estimates(said) {
  if (said.length < 2) return null;
  return el("div", "", el("h4", "", "Regularity, estimate by estimate"), el("ol", "estimates", ...said.map((text) => el("li", "", text))));
}

function statistics(table, fact) {
  const columns = (table?.columns ?? []).filter((column) => column.views.length === 1 && column.views[0] === STATISTICS_VIEW);
  const items = columns.filter((column) => ![null, ""].includes(fact(column.key))).map((column) =>
    el("div", "", el("dt", "", column.label), el("dd", "", String(WRITE[column.format](fact(column.key))))));
  return items.length ? el("div", "", el("h4", "", "Statistics"), el("dl", "values", ...items)) : null;
}

function score(fact) {
  const ratio = fact("ratio");
  if (ratio === null) return null;
  const change = Math.abs(1 - ratio);
  const percent = `${(100 * change).toFixed(change < 0.1 ? 1 : 0)} %`;
  return el("p", ratio < 1 ? "score good" : "score poor", `${percent} ${ratio < 1 ? "lower" : "higher"} error than seasonal naive`);
}

/** How the series was split into its parts, such as "MSTL with seasons 24, 168". */
function decomposed(fact) {
  const method = fact("method");
  if (!method) return null;
  if (method === "none") return "not decomposed";
  const seasons = fact("seasons");
  const many = seasons?.includes(",") ? "seasons" : "season";
  return ["stl", "mstl"].includes(method) ? `${method.toUpperCase()}${seasons ? ` with ${many} ${seasons}` : ""}` : `${method.replaceAll("_", " ")} only`;
}

function heading(id, fact) {
  const link = el("a", "", id);
  link.href = seriesAddress(id);
  const told = [
    fact("period_label") && `every ${fact("period_label")}`,
    fact("season_length") && `season of ${digits(fact("season_length"))} steps`,
    decomposed(fact),
    fact("decision_change") ?? (fact("decision") && fact("decision").replace("_", " ")),
    fact("status")?.startsWith("failed") ? fact("status") : null,
  ].filter(Boolean);
  const about = [fact("type"), fact("place"), fact("unit") && `in ${fact("unit")}`].filter(Boolean);
  return el("header", "", el("h3", "", link), about.length ? el("p", "about", about.join(" · ")) : null, el("p", "", told.join(" · ")), score(fact));
}

function key(drawing, fact) {
  const { history, rows } = drawing;
  const entry = (className, text) => el("li", className, el("i"), text);
  const many = (count, noun) => `${digits(count)} ${noun}${count === 1 ? "" : "s"}`;
  const items = [entry("raw", "observed"), entry("clean", "cleaned")];
  if (history.outlying) items.push(entry("outlier", many(history.outlying, "outlier")));
  if (history.fills) items.push(entry("filled", `${digits(history.fills)} filled${fact("strategy") ? `, by ${fact("strategy")}` : ""}`));
  if (history.anomalous) items.push(entry("anomaly", history.anomalous === 1 ? "1 anomaly" : `${digits(history.anomalous)} anomalies`));
  if (history.handled) items.push(entry("replaced", `${digits(history.handled)} changed, by ${history.ways.map(modelName).join(", ")}`));
  for (const kind of ["shift", "drift"]) {
    const count = drawing.changes.filter((change) => change.kind === kind).length;
    if (count) items.push(el("li", "", many(count, kind === "shift" ? "level shift" : "drift")));
  }
  if (history.alerting) items.push(entry("alert", many(history.alerting, "alert")));
  const hidden = drawing.levels.length - levelsInReach(history, drawing.levels).length;
  if (hidden) items.push(el("li", "", `alert ${hidden === 1 ? "level" : "levels"} far outside: ${drawing.levels.filter((level) => !levelsInReach(history, [level]).length).map(signed).join(", ")}`));
  if (history.gaps.length) items.push(entry("gap", many(history.gaps.length, "gap")));
  if (history.t.length < rows) items.push(el("li", "", `${digits(history.t.length)} of ${digits(rows)} points drawn, spikes kept`));
  return el("ul", "key", ...items);
}

function plot(caption, label, figure) {
  const chart = el("div", "chart");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", label);
  chart.figure = figure;
  return el("figure", "plot", el("figcaption", "", caption), chart);
}

/** The history, and a button that opens the parts under it; `load` gives the parts. */
function historyPlot(drawing, settings, load) {
  let parts = null;
  const named = `Observed and cleaned values of ${drawing.id}`;
  const whole = plot("All of it", named, (size) => historyFigure(drawing, parts, unitOf(drawing, settings), size));
  if (!drawing.decomposed) return whole;
  const chart = whole.querySelector(".chart");
  const button = el("button", "parts", "Trend, season, remainder");
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", async () => {
    parts = parts ? null : await load();
    button.setAttribute("aria-expanded", String(parts !== null));
    chart.setAttribute("aria-label", parts ? `${named}; below them trend, season and remainder` : named);
    chart.style.height = parts ? `${chartHeight() + partsHeight(parts)}px` : "";
    await drawChart(chart);
  });
  whole.append(button);
  return whole;
}

const chartHeight = () => (NARROW_SCREEN ? 220 : 260);

function plots(drawing, settings, load) {
  const figures = [];
  if (drawing.history) figures.push(historyPlot(drawing, settings, load));
  if (drawing.forecast) {
    const caption = `Forecast from ${new Date(instants(drawing.forecast.cutoff)[0]).toISOString().slice(0, 16).replace("T", " ")} UTC`;
    const figure = plot(caption, `Forecast of ${drawing.id} with 80 % and 95 % intervals`, (size) => forecastFigure(drawing, settings, size));
    const more = beyond(drawing.recent, drawing.forecast, leading(drawing.forecast, settings));
    if (more) figure.append(el("p", "note", more));
    figures.push(figure);
  }
  return el("div", figures.length > 1 ? "plots" : "plots single", ...figures);
}

/** Fill a card; `drawing` is null for a series that this report does not draw; `load` gives its parts. */
function fillCard(card, id, drawing, table, settings, load) {
  const fact = facts(table, id);
  const parts = [heading(id, fact)];
  if (!drawing) parts.push(el("p", "note", fact("points") === null ? NO_VALUES : NOT_DRAWN));
  if (drawing?.history) parts.push(key(drawing, fact));
  if (drawing) parts.push(plots(drawing, settings, load));
  const behind = [
    bars("MAE of the forecast, beside seasonal naive", drawing?.errors ?? errorsOf(fact, settings), settings.champion),
    bars(`MAE of filling hidden points${inUnits(drawing)}`, drawing?.scores ?? [], fact("strategy")),
    handling(drawing, fact),
    guard(drawing?.guard),
    ...categories(drawing?.categories ?? []),
    estimates(drawing?.estimates ?? []),
    statistics(table, fact),
  ];
  parts.push(el("div", "behind", ...behind));
  card.replaceChildren(...parts);
}

/** Errors of a series that is not drawn: the big table has those of the lead and of seasonal naive. */
function errorsOf(fact, settings) {
  return [[settings.lead, fact("model_mae")], ["seasonal_naive", fact("mae_naive")]].filter(([, value]) => value !== null);
}
