// The trials of a tuning: the objective trial by trial, and parallel coordinates of what was tried.

const LEAST_APART = 96;
const TALL = 320;
const ROW = 74;
const LETTER = 6.5;
const CROWD = 60;
const EARLY = "stopped early";
const READ = "Point at a line to read its trial.";

const isKnown = (value) => value !== null && value !== undefined;

/** The objective as a cost, of which less is better. */
const costs = (study) => {
  const sign = study.direction === "minimize" ? 1 : -1;
  return { sign, of: (value) => sign * value, known: study.objective.filter(isKnown).map((value) => sign * value).sort((a, b) => a - b) };
};

/** Least and largest cost that are drawn in their place: a few bad trials do not squeeze all others together. */
function limits(study) {
  const { known, of } = costs(study);
  const best = known[0];
  const third = known[Math.floor(0.75 * (known.length - 1))];
  const usual = isKnown(study.defaults) ? [of(study.defaults)] : [];
  const fence = third > best ? third + 3 * (third - best) : Infinity;
  return [Math.min(best, ...usual), Math.max(Math.min(known[known.length - 1], fence), ...usual)];
}

/** A trial in words. */
function inWords(study, at) {
  const value = study.objective[at];
  const why = study.message[at] ? ` (${study.message[at]})` : "";
  const reached = isKnown(value) ? `${study.metric} ${brief(value)}` : `${study.status[at]}${why}`;
  return [`trial ${study.trial[at]}: ${reached}`, ...study.params.map(({ name, values }) => `${name} ${isKnown(values[at]) ? brief(values[at]) : "–"}`)];
}

/** Points of the trials at `places`, `y` giving where they are drawn. */
function trialMarks(study, places, y, name, colour, symbol, size, width = 1.5) {
  const text = places.map((at) => inWords(study, at).map(plain).join("<br>"));
  return { x: places.map((at) => study.trial[at]), y: places.map(y), text, name, type: "scatter", mode: "markers", marker: { symbol, color: colour, size, line: { width, color: colour } }, hovertemplate: "%{text}<extra></extra>", cliponaxis: false };
}

function bestSoFar(study, sign, colours) {
  let best = Infinity;
  const y = study.objective.map((value) => {
    if (isKnown(value)) best = Math.min(best, sign * value);
    return Number.isFinite(best) ? sign * best : null;
  });
  const style = line(study.trial, y, "best so far", colours.accent, 2.2, { shape: "hv" });
  return { ...style, hoverinfo: "skip", hovertemplate: null };
}

/** Labels beside the ends of the lines, apart from each other. */
function sideLabels(figure, labels, height) {
  const [low, high] = figure.yaxis.range;
  const at = figure.yaxis.type === "log" ? Math.log10 : (value) => value;
  const rising = [...labels].sort((a, b) => a.y - b.y);
  const shifts = apart(rising.map(({ y }) => ((at(y) - low) * height) / (high - low)));
  figure.annotations.push(...rising.map(({ y, text, colour }, place) => ({
    xref: "paper", x: 1, xanchor: "left", xshift: 6, yref: "y", y: at(y), yshift: shifts[place], yanchor: "middle", text, showarrow: false, font: { size: 11, color: colour },
  })));
}

function trialAxis({ trial }, axis) {
  const [first, last] = [trial[0], trial[trial.length - 1]];
  const air = Math.max(0.6, 0.04 * (last - first));
  const step = last - first <= 8 ? { dtick: 1 } : {};
  return { type: "linear", title: { ...axis.title, text: "trial" }, range: [first - air, last + air], hoverformat: "d", tickformat: "d", ...step };
}

/** The objective over the trials, the best so far as a line, the defaults across. */
function objectiveFigure(study, { width, height }) {
  const colours = palette();
  const { sign, of } = costs(study);
  const [least, most] = limits(study);
  const figure = layout(colours, study.metric, width, 76);
  const places = [...study.trial.keys()];
  const [low, high] = sign > 0 ? [least, most] : [-most, -least];
  const log = wide(low, high);
  const scale = log ? Math.log10 : (value) => value;
  const air = (scale(high) - scale(low) || Math.abs(scale(high)) || 1) * 0.09;
  Object.assign(figure.yaxis, { type: log ? "log" : "linear", range: [scale(low) - air, scale(high) + air] });
  const [floor, roof] = figure.yaxis.range.map((end) => (log ? 10 ** end : end));
  Object.assign(figure.xaxis, trialAxis(study, figure.xaxis));
  figure.hovermode = "closest";
  const value = (at) => study.objective[at];
  const beyond = (at) => isKnown(value(at)) && of(value(at)) > most;
  const inside = (status) => places.filter((at) => isKnown(value(at)) && !beyond(at) && (study.status[at] === EARLY) === (status === EARLY));
  const best = places.filter((at) => study.trial[at] === study.best);
  const traces = [
    bestSoFar(study, sign, colours),
    trialMarks(study, inside("succeeded"), value, "trial", colours.raw, "circle", 7, 0),
    trialMarks(study, inside(EARLY), value, "stopped early", colours.soft, "circle-open", 7),
    trialMarks(study, places.filter(beyond), () => (sign > 0 ? roof : floor), "off the scale", colours.soft, sign > 0 ? "triangle-up" : "triangle-down", 8),
    trialMarks(study, places.filter((at) => !isKnown(value(at))), () => (sign > 0 ? roof : floor), "without a result", colours.ring, "x-thin", 8, 2),
    trialMarks(study, best, value, "best", colours.accent, "circle-open", 12, 2.5),
  ].filter((trace) => trace.x.length);
  const labels = [{ y: sign * costs(study).known[0], text: "best so far", colour: colours.accent }];
  if (isKnown(study.defaults)) {
    figure.shapes.push({ type: "line", layer: "below", xref: "paper", x0: 0, x1: 1, yref: "y", y0: study.defaults, y1: study.defaults, line: { color: colours.warn, width: 1.4, dash: "dash" } });
    labels.push({ y: study.defaults, text: "defaults", colour: colours.warn });
  }
  sideLabels(figure, labels, height - figure.margin.t - figure.margin.b);
  return { traces, layout: figure };
}

/** The name space of drawings, as the browser itself calls it. */
const DRAWING = Object.assign(document.createElement("template"), { innerHTML: "<svg></svg>" }).content.firstChild.namespaceURI;

const svg = (tag, attributes = {}, ...children) => {
  const node = document.createElementNS(DRAWING, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

/** How good a trial is, from 0 to 1: by its place among the others, so that the best ones stand out however near. */
function goodness(study) {
  const { of, known } = costs(study);
  return (value) => (1 - known.indexOf(of(value)) / Math.max(1, known.length - 1)) ** 2;
}

/** The objective's axis, no longer than what the other picture shows. */
function objectiveAxis(study) {
  const { sign, known } = costs(study);
  const [least, most] = limits(study);
  return numberAxis(study.metric, [least, most, ...known.filter((cost) => cost < most)].map((cost) => sign * cost));
}

/** Where axis `at` of `axes` lies and how a share of it is placed: upright side by side, or flat one below the other. */
function grid(axes, width) {
  const flat = width / axes.length < LEAST_APART;
  const apart = (width - 90) / Math.max(1, axes.length - 1);
  const across = (at) => 16 + apart * at;
  const down = (at) => 26 + ROW * at;
  const height = flat ? down(axes.length - 1) + 26 : TALL;
  const place = flat ? (at, share) => [10 + share * (width - 20), down(at)] : (at, share) => [across(at), height - 14 - share * (height - 54)];
  const letters = (ticks) => Math.max(4, Math.floor((flat ? width / ticks : Math.min(apart, 180)) / LETTER) - 1);
  return { flat, height, place, letters };
}

const cut = (text, letters) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);

function drawAxis(axis, at, { flat, place, letters }) {
  const [[x0, y0], [x1, y1]] = [place(at, 0), place(at, 1)];
  const ends = flat ? { x: x0, y: y0 - 9 } : { x: x1, y: y1 - 16, "text-anchor": at ? "middle" : "start" };
  const ticks = axis.ticks.map((tick) => {
    const share = axis.share(tick);
    const [x, y] = place(at, share);
    const anchor = share < 0.04 ? "start" : share > 0.96 ? "end" : "middle";
    return svg("text", flat ? { class: "tick", x, y: y + 16, "text-anchor": anchor } : { class: "tick", x: x + 6, y: y + 4 }, cut(brief(tick), letters(axis.ticks.length)));
  });
  return svg("g", { class: "axis" }, svg("line", { x1: x0, y1: y0, x2: x1, y2: y1 }), svg("text", { ...ends, class: "name" }, cut(axis.name, flat ? letters(1) : letters(1) + 2), svg("title", {}, axis.name)), ...ticks);
}

/** A line through the values that are known. */
function drawLine(axes, values, grid, className) {
  const points = values.map((value, at) => (isKnown(value) ? grid.place(at, axes[at].share(value)) : null)).filter(Boolean);
  return svg("path", { class: className, d: points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("") });
}

function trialLines(study, axes, lines, tell) {
  const good = goodness(study);
  const better = (at) => (isKnown(study.objective[at]) ? good(study.objective[at]) : -1);
  return [...study.trial.keys()].sort((a, b) => better(a) - better(b)).map((at) => {
    const values = [...study.params.map((param) => param.values[at]), study.objective[at]];
    const failed = !isKnown(study.objective[at]);
    const best = study.trial[at] === study.best;
    const drawn = drawLine(axes, values, lines, failed ? "failed" : best ? "best" : "trial");
    if (!failed) drawn.style.setProperty("--good", `${Math.round(100 * better(at))}%`);
    const near = drawLine(axes, values, lines, "near");
    const trial = svg("g", {}, drawn, near);
    trial.addEventListener("pointerenter", () => tell(inWords(study, at).join(" · "), trial));
    return trial;
  });
}

/** What was tried: a line a trial through its parameters to its objective, the better the stronger. */
function parallel(study) {
  const axes = [...study.params.map(axisOf), objectiveAxis(study)];
  const picture = svg("svg", { role: "img", "aria-label": `Parallel coordinates of ${study.trial.length} trials: ${axes.map(({ name }) => name).join(", ")}` });
  const read = el("p", "read", READ);
  let shown = null;
  const tell = (text, trial) => {
    if (trial === shown) return;
    shown?.classList.remove("shown");
    shown = trial;
    trial.classList.add("shown");
    trial.parentNode.append(trial);
    read.textContent = text;
  };
  const usual = [...study.params.map((param) => param.default), study.defaults];
  picture.style.setProperty("--crowd", Math.max(0.25, Math.min(1, CROWD / study.trial.length)));
  const draw = (width) => {
    const lines = grid(axes, width);
    picture.setAttribute("viewBox", `0 0 ${width} ${lines.height}`);
    picture.setAttribute("height", lines.height);
    picture.replaceChildren(
      svg("g", {}, ...trialLines(study, axes, lines, tell)),
      svg("g", {}, drawLine(axes, usual, lines, "usual"), ...axes.map((axis, at) => drawAxis(axis, at, lines))),
    );
  };
  const box = el("figure", "plot parallel", el("figcaption", "", "What was tried"), parallelKey(study), picture, read);
  new ResizeObserver(([entry]) => draw(Math.round(entry.contentRect.width))).observe(box);
  return box;
}

function parallelKey(study) {
  const { sign } = costs(study);
  const [least, most] = limits(study).map((cost) => brief(sign * cost));
  const worse = study.objective.some((value) => isKnown(value) && sign * value > limits(study)[1]) ? " or worse" : "";
  const entry = (className, text) => el("li", className, el("i"), text);
  const items = [el("li", "ramp", `${study.metric} ${most}${worse}`, el("i"), least), entry("best", "best trial"), entry("usual", "defaults")];
  if (study.objective.some((value) => !isKnown(value))) items.push(entry("lost", "without a result"));
  return el("ul", "key", ...items);
}

function objectiveKey(study) {
  const entry = (className, text) => el("li", className, el("i"), text);
  const { of } = costs(study);
  const beyond = study.objective.filter((value) => isKnown(value) && of(value) > limits(study)[1]);
  const items = [entry("trial", "a trial")];
  if (study.status.includes(EARLY)) items.push(entry("stopped", EARLY));
  if (beyond.length) items.push(entry("beyond", `off the scale: ${beyond.length > 3 ? beyond.length : beyond.map(brief).join(", ")}`));
  if (study.objective.some((value) => !isKnown(value))) items.push(entry("cross", "without a result"));
  return el("ul", "key", ...items);
}

/** Put the pictures of a tuned group in their place. */
function fillStudy(host, study) {
  host.style.minHeight = "0";
  if (!costs(study).known.length) {
    host.append(el("p", "absent", "No trial gave a result, so there is nothing to draw."));
    return;
  }
  const label = `${study.metric} over ${study.trial.length} trials, the best so far as a line, the defaults across`;
  const over = plot("The objective, trial by trial", label, (size) => objectiveFigure(study, size));
  over.querySelector("figcaption").after(objectiveKey(study));
  host.append(over, parallel(study));
}
