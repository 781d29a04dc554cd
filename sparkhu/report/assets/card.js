// A series on the page: its name, what was done to it, its figures, and what stands behind them.

const STATISTICS_VIEW = "Statistics";
const NOT_DRAWN = "Not among the series drawn here; clean.parquet and forecasts.parquet hold its values.";
const NO_VALUES = "This run has no clean values of this series; the ledger says why.";

const seriesAddress = (id) => `#series=${encodeURIComponent(id)}`;

/** A bar a name, the chosen one in the accent. */
function bars(title, pairs, chosen) {
  if (!pairs.length) return null;
  const most = Math.max(...pairs.map(([, value]) => value)) || 1;
  const lines = pairs.map(([name, value]) => {
    const bar = el("i");
    bar.style.width = `${(100 * value) / most}%`;
    return el("div", name === chosen ? "measure chosen" : "measure", el("span", "", modelName(name)), el("span", "rail", bar), el("output", "", digits(value)));
  });
  return el("div", "", el("h4", "", title), ...lines);
}

/** The series' row of the big table, as a function from key to value. */
function facts(table, id) {
  const row = table ? table.data[0].indexOf(id) : -1;
  return (key) => (row < 0 ? null : table.data[table.columns.findIndex((column) => column.key === key)]?.[row] ?? null);
}

function statistics(table, fact) {
  const columns = (table?.columns ?? []).filter((column) => column.views.length === 1 && column.views[0] === STATISTICS_VIEW);
  const items = columns.filter((column) => fact(column.key) !== null).map((column) =>
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

function heading(id, fact) {
  const link = el("a", "", id);
  link.href = seriesAddress(id);
  const told = [
    fact("period_label") && `every ${fact("period_label")}`,
    fact("season_length") && `season of ${digits(fact("season_length"))} steps`,
    fact("decision") && fact("decision").replace("_", " "),
    fact("status") && fact("status") !== "ok" ? fact("status") : null,
  ].filter(Boolean);
  return el("header", "", el("h3", "", link), el("p", "", told.join(" · ")), score(fact));
}

function key(drawing, fact) {
  const { history, rows } = drawing;
  const entry = (className, text) => el("li", className, el("i"), text);
  const many = (count, noun) => `${digits(count)} ${noun}${count === 1 ? "" : "s"}`;
  const items = [entry("raw", "observed"), entry("clean", "cleaned")];
  if (history.outlying) items.push(entry("outlier", many(history.outlying, "outlier")));
  if (history.fills) items.push(entry("filled", `${digits(history.fills)} filled${fact("strategy") ? `, by ${fact("strategy")}` : ""}`));
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

function plots(drawing, settings) {
  const figures = [];
  if (drawing.history) {
    figures.push(plot("All of it", `Observed and cleaned values of ${drawing.id}`, ({ width }) => historyFigure(drawing.history, settings.unit, width)));
  }
  if (drawing.forecast) {
    const caption = `Forecast from ${new Date(instants(drawing.forecast.cutoff)[0]).toISOString().slice(0, 16).replace("T", " ")} UTC`;
    figures.push(plot(caption, `Forecast of ${drawing.id} with 80 % and 95 % intervals`, (size) => forecastFigure(drawing, settings, size)));
  }
  return el("div", figures.length > 1 ? "plots" : "plots single", ...figures);
}

/** Fill a card; `drawing` is null for a series that this report does not draw. */
function fillCard(card, id, drawing, table, settings) {
  const fact = facts(table, id);
  const parts = [heading(id, fact)];
  if (!drawing) parts.push(el("p", "note", fact("points") === null ? NO_VALUES : NOT_DRAWN));
  if (drawing?.history) parts.push(key(drawing, fact));
  if (drawing) parts.push(plots(drawing, settings));
  const behind = [
    bars("MAE of the forecast, beside seasonal naive", drawing?.errors ?? errorsOf(fact, settings), settings.champion),
    bars("MAE of filling hidden points", drawing?.scores ?? [], fact("strategy")),
    statistics(table, fact),
  ];
  parts.push(el("div", "behind", ...behind));
  card.replaceChildren(...parts);
}

/** Errors of a series that is not drawn: the big table has those of the lead and of seasonal naive. */
function errorsOf(fact, settings) {
  return [[settings.lead, fact("model_mae")], ["seasonal_naive", fact("mae_naive")]].filter(([, value]) => value !== null);
}
