// The parts of a series under its history, on the same axis of time: trend, season, remainder.

const PART_HEIGHT = 110;
const PART_GAP = 26;
const PARTS = [["trend", "trend"], ["seasonal", "season"], ["resid", "remainder"]];

const partsOf = (parts) => PARTS.filter(([key]) => parts[key]);

/** Pixels that the parts add to the height of the history. */
const partsHeight = (parts) => partsOf(parts).length * (PART_HEIGHT + PART_GAP);

/** Put a panel for each part below the history; gives the traces to draw in them. */
function addParts(figure, parts, height, colours) {
  const inner = height - figure.margin.t - figure.margin.b;
  const shown = partsOf(parts);
  const traces = [];
  figure.yaxis.domain = [partsHeight(parts) / inner, 1];
  for (const shape of figure.shapes) if (shape.yref === "paper") shape.y0 = figure.yaxis.domain[0];
  shown.forEach(([key, name], at) => {
    const axis = String(at + 2);
    const bottom = ((shown.length - 1 - at) * (PART_HEIGHT + PART_GAP)) / inner;
    const domain = [bottom, bottom + PART_HEIGHT / inner];
    const title = { ...figure.yaxis.title, text: name };
    figure[`yaxis${axis}`] = { ...figure.yaxis, domain, title, nticks: 4, zeroline: key !== "trend", zerolinecolor: colours.line };
    traces.push(...partTraces(parts, key, name, axis, colours));
    if (key === "resid") addLimits(figure, parts, axis, colours);
  });
  figure.xaxis.anchor = `y${shown.length + 1}`;
  return traces;
}

function partTraces(parts, key, name, axis, colours) {
  const { t, y } = parts[key];
  const x = instants(t);
  const curve = { ...line(x, y, name, key === "resid" ? colours.soft : colours.accent, key === "trend" ? 1.8 : 1.1), yaxis: `y${axis}` };
  if (key !== "resid" || !parts.anomalies.length) return [curve];
  const [size, width] = parts.anomalies.length > CROWDED ? [5, 1] : [9, 1.8];
  return [curve, { ...marks(x, y, parts.anomalies, "anomaly", colours.ink, size, width, "diamond-open"), yaxis: `y${axis}` }];
}

/** The limits beyond which a remainder is an anomaly. */
function addLimits(figure, parts, axis, colours) {
  for (const limit of parts.limits.filter((value) => value !== null)) across(figure, limit, `limit ${signed(limit)}`, colours.soft, colours, axis);
}
