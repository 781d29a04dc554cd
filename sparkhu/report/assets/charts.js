// The figures of a series: all of it, raw against clean, above its parts; and its end with the forecast.

const CONFIG = {
  displaylogo: false,
  // A chart belongs to whoever has the report: the library's button that uploads it stays away.
  showSendToCloud: false,
  responsive: true,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toImage"],
};
const LABEL_GAP = 14;
const LEVEL_REACH = 0.4;
const BAND_REACH = 1.5;

/** Colours of the page, as the style sheet has them now (light or dark). */
function palette() {
  const style = getComputedStyle(document.documentElement);
  const names = ["ink", "soft", "line", "faint", "card", "accent", "ring", "orange", "warn", "raw", "band"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function translucent(hex, alpha) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${red},${green},${blue},${alpha})`;
}

/** Text for the charting library, which reads a few HTML tags in labels. */
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** As many labels on the axis of time as have room beside each other. */
const ticks = (width) => Math.max(2, Math.min(8, Math.floor(width / 85)));

function layout(colours, unit, width, right) {
  const axis = { gridcolor: colours.faint, linecolor: colours.line, zeroline: false, tickfont: { color: colours.soft }, automargin: true };
  const title = (text) => ({ text, font: { size: 12, color: colours.soft }, standoff: 6 });
  return {
    margin: { l: 50, r: right, t: 10, b: 40 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, -apple-system, Segoe UI, Roboto, sans-serif", size: 12, color: colours.ink },
    showlegend: false,
    hovermode: "x unified",
    hoverlabel: { bgcolor: colours.card, bordercolor: colours.line, font: { color: colours.ink } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colours.line, activecolor: colours.accent },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    xaxis: { ...axis, type: "date", title: title("time (UTC)"), nticks: ticks(width - right), tickangle: 0, hoverformat: "%Y-%m-%d %H:%M:%S" },
    yaxis: { ...axis, title: title(plain(unit)), nticks: 5, exponentformat: "power" },
    shapes: [],
    annotations: [],
  };
}

const line = (x, y, name, colour, width, more = {}) => ({
  x, y, name, type: "scatter", mode: "lines", connectgaps: false, line: { color: colour, width, ...more }, hovertemplate: "%{y:.5g}",
});

const CROWDED = 150;

function marks(x, y, places, name, colour, size, width, symbol = "circle-open") {
  const marker = { symbol, color: colour, size, line: { width } };
  const at = (values) => places.map((place) => values[place]);
  return { x: at(x), y: at(y), name, type: "scatter", mode: "markers", marker, hovertemplate: "%{y:.5g}" };
}

function bands(x, gaps, colours) {
  return gaps.map(([from, to]) => ({
    type: "rect", layer: "below", xref: "x", yref: "paper", x0: x[from], x1: x[to], y0: 0, y1: 1,
    fillcolor: translucent(colours.band, 0.2), line: { width: 0 },
  }));
}

/** Places of values with none on either side, which a line alone would not show. */
const isolated = (values) => [...values.keys()].filter((at) => (values[at] ?? null) !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null);

/** Observed values wide and grey, cleaned ones thin and in the accent on top: where they differ, both show. */
function curves(part, colours) {
  const x = instants(part.t);
  const value = part.y.map((y, at) => part.raw[at] ?? y);
  const traces = [line(x, part.raw, "observed", colours.raw, 3.5), line(x, part.y, "cleaned", colours.accent, 1.4)];
  const alone = isolated(part.raw);
  if (alone.length) traces.push({ ...marks(x, part.raw, alone, "observed", colours.raw, 4, 1), hoverinfo: "skip", hovertemplate: null });
  if (part.filled.length) traces.push(marks(x, part.y, part.filled, "filled", colours.accent, 5.5, 1.3));
  // Many rings of full size would hide the line that they mark.
  const [size, width] = part.outliers.length > CROWDED ? [4.5, 1] : [10, 2];
  if (part.outliers.length) traces.push(marks(x, value, part.outliers, "outlier", colours.ring, size, width));
  traces.push(...anomalyTraces(part, x, value, colours));
  return { x, traces };
}

/** Anomalies as diamonds, each tied to the hollow square of what was put in its place; alerts as dots. */
function anomalyTraces(part, x, value, colours) {
  const traces = [];
  if (part.alerts.length) traces.push(marks(x, value, part.alerts, "alert", colours.warn, 4, 0, "circle"));
  if (part.replaced.length && part.replaced.length <= CROWDED) {
    const ties = part.replaced.flatMap((at) => [[x[at], value[at]], [x[at], part.y[at]], [null, null]]);
    traces.push({ ...line(ties.map(([at]) => at), ties.map(([, y]) => y), "", colours.soft, 1), hoverinfo: "skip", hovertemplate: null });
  }
  if (part.replaced.length) traces.push(marks(x, part.y, part.replaced, "in its place", colours.accent, 6, 1.4, "square-open"));
  const [size, width] = part.anomalies.length > CROWDED ? [5, 1] : [9, 1.8];
  if (part.anomalies.length) traces.push(marks(x, value, part.anomalies, "anomaly", colours.ink, size, width, "diamond-open"));
  return traces;
}

/** A number with the minus sign that axes have. */
const signed = (value) => digits(value).replace("-", "−");

/** A thin line across the figure with its name at the left end, where it hides nothing recent. */
function across(figure, y, text, colour, colours, axis = "") {
  figure.shapes.push({ type: "line", layer: "below", xref: "paper", x0: 0, x1: 1, yref: `y${axis}`, y0: y, y1: y, line: { color: colour, width: 1, dash: "dash" } });
  figure.annotations.push({ xref: "paper", x: 0, xanchor: "left", yref: `y${axis}`, y, yanchor: "middle", text, showarrow: false, bgcolor: translucent(colours.card, 0.8), borderpad: 1, font: { size: 11, color: colour } });
}

/** Alert levels near the values; one far away would flatten the curve. */
function levelsInReach(part, levels) {
  const values = [...part.y, ...part.raw].filter((value) => value !== null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const air = LEVEL_REACH * (high - low || Math.abs(high) || 1);
  return levels.filter((level) => level >= low - air && level <= high + air);
}

/** Where the level changed: a line at a shift, a bar along a drift, each with its size. */
function levelChanges(figure, changes, colours) {
  for (const { kind, size, at, ends } of changes) {
    const shape = { type: "line", xref: "x", yref: "paper", layer: "below", line: { color: colours.ink, width: ends ? 2 : 1, dash: ends ? "solid" : "dashdot" } };
    figure.shapes.push(ends ? { ...shape, x0: at, x1: ends, y0: 0, y1: 0 } : { ...shape, x0: at, x1: at, y0: 0, y1: 1 });
    const text = `${plain(kind)} ${size > 0 ? "+" : ""}${signed(size)}`;
    figure.annotations.push({ xref: "x", x: at, xanchor: "left", yref: "paper", y: ends ? 0 : 1, yanchor: ends ? "bottom" : "top", text, showarrow: false, bgcolor: translucent(colours.card, 0.8), borderpad: 1, font: { size: 11, color: colours.ink } });
  }
}

function historyFigure(drawing, parts, unit, { width, height }) {
  const colours = palette();
  const { x, traces } = curves(drawing.history, colours);
  const figure = layout(colours, unit, width, 12);
  figure.height = height;
  figure.shapes = bands(x, drawing.history.gaps, colours);
  for (const level of levelsInReach(drawing.history, drawing.levels)) across(figure, level, `alert ${signed(level)}`, colours.warn, colours);
  levelChanges(figure, drawing.changes, colours);
  if (parts) traces.push(...addParts(figure, parts, height, colours));
  return { traces, layout: figure };
}

/** The area between two bounds. */
function fan(x, low, high, name, colour) {
  const area = { type: "scatter", mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
  return [
    { ...area, x, y: low, name: `${name} from` },
    { ...area, x, y: high, name: `${name} to`, fill: "tonexty", fillcolor: colour },
  ];
}

function forecastTraces(name, model, isChampion, colours) {
  const x = instants(model.t);
  const traces = [];
  if (isChampion && model.hi_95) traces.push(...fan(x, model.lo_95, model.hi_95, "95 %", translucent(colours.accent, 0.16)));
  if (isChampion && model.hi_80) traces.push(...fan(x, model.lo_80, model.hi_80, "80 %", translucent(colours.accent, 0.26)));
  const style = isChampion ? [colours.accent, 2.2, {}] : [name === "seasonal_naive" ? colours.orange : colours.soft, 1.4, { dash: "dot" }];
  traces.push(line(x, model.y, plain(modelName(name)), ...style));
  return traces;
}

/** How far to move rising places so that neighbours keep their distance; on the whole they stay where they are. */
function apart(places) {
  let floor = -Infinity;
  const moved = places.map((place) => (floor = Math.max(place, floor + LABEL_GAP)));
  const drift = moved.reduce((sum, place, at) => sum + place - places[at], 0) / (places.length || 1);
  return moved.map((place, at) => place - places[at] - drift);
}

/** Labels at the ends of the lines, moved apart where they would touch; that of a line that leaves the figure at its edge. */
function endLabels(forecast, champion, colours, range, height) {
  const labels = [];
  for (const [name, model] of Object.entries(forecast.models)) {
    const isChampion = name === champion;
    const colour = isChampion ? colours.accent : name === "seasonal_naive" ? colours.warn : colours.soft;
    const end = model.y.length - 1;
    labels.push({ y: model.y[end], text: plain(modelName(name)), colour });
    if (isChampion && model.hi_80) labels.push({ y: model.hi_80[end], text: "80 %", colour: colours.soft });
    if (isChampion && model.hi_95) labels.push({ y: model.hi_95[end], text: "95 %", colour: colours.soft });
  }
  const [low, high] = range;
  const inside = ({ y, text, ...label }) => (y > high ? { ...label, y: high, text: `${text} ↑` } : y < low ? { ...label, y: low, text: `${text} ↓` } : { ...label, y, text });
  const known = labels.filter((label) => Number.isFinite(label.y)).map(inside).sort((a, b) => a.y - b.y);
  const shifts = apart(known.map((label) => ((label.y - low) * height) / (high - low)));
  return known.map((label, at) => ({
    xref: "paper", x: 1, xanchor: "left", xshift: 4, y: label.y, yref: "y", yshift: shifts[at],
    yanchor: "middle", text: label.text, showarrow: false, font: { size: 11, color: label.colour },
  }));
}

/** The model whose forecast stands out with its intervals: the champion, or where nothing was evaluated the only one. */
const leading = ({ models }, { champion }) => champion ?? (Object.keys(models).length === 1 ? Object.keys(models)[0] : null);

const everyKnown = (lists) => lists.flatMap((list) => list ?? []).filter((value) => value !== null);

/** All bounds of the intervals that are drawn. */
function bandsOf({ models }, lead) {
  const { lo_80, hi_80, lo_95, hi_95 } = models[lead] ?? {};
  return everyKnown([lo_80, hi_80, lo_95, hi_95]);
}

/**
 * Smallest and largest value that the forecast figure shows, with some air. Observed values and forecasts are shown
 * whole, intervals as far as they leave room for them: a wide one would flatten the curve.
 */
function extent(recent, forecast, lead) {
  const bands = bandsOf(forecast, lead);
  const curve = everyKnown([...(recent ? [recent.y, recent.raw] : []), ...Object.values(forecast.models).map((model) => model.y)]);
  const lines = curve.length ? curve : bands;
  if (!lines.length) return [0, 1];
  const [least, most] = [Math.min(...lines), Math.max(...lines)];
  const reach = BAND_REACH * (most - least || Math.abs(most) || 1);
  const low = Math.max(Math.min(least, ...bands), least - reach);
  const high = Math.min(Math.max(most, ...bands), most + reach);
  const air = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - air, high + air];
}

const farOff = (value) => (Math.abs(value) < 1e9 ? signed(value) : brief(value));

/** How far the intervals go where the figure does not show all of them; null where it does. */
function beyond(recent, forecast, lead) {
  const [low, high] = extent(recent, forecast, lead);
  const bands = bandsOf(forecast, lead);
  const [least, most] = [Math.min(...bands), Math.max(...bands)];
  const ends = [least < low ? `down to ${farOff(least)}` : null, most > high ? `up to ${farOff(most)}` : null].filter(Boolean);
  return ends.length ? `The intervals go beyond the axis, ${ends.join(" and ")}.` : null;
}

function forecastFigure(drawing, settings, { width, height }) {
  const colours = palette();
  const { recent, forecast } = drawing;
  const figure = layout(colours, unitOf(drawing, settings), width, 92);
  const lead = leading(forecast, settings);
  const range = extent(recent, forecast, lead);
  const traces = [];
  for (const [name, model] of Object.entries(forecast.models)) {
    const isChampion = name === lead;
    traces[isChampion ? "unshift" : "push"](...forecastTraces(name, model, isChampion, colours));
  }
  if (recent) {
    const { x, traces: observed } = curves(recent, colours);
    traces.push(...observed);
    figure.shapes = bands(x, recent.gaps, colours);
  }
  const [cutoff] = instants(forecast.cutoff);
  figure.shapes.push({ type: "line", xref: "x", yref: "paper", x0: cutoff, x1: cutoff, y0: 0, y1: 1, line: { color: colours.soft, width: 1, dash: "dot" } });
  figure.yaxis.range = range;
  const { t, b } = figure.margin;
  figure.annotations = endLabels(forecast, lead, colours, range, height - t - b);
  return { traces, layout: figure };
}
