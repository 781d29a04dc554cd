// Scales of parallel coordinates: where a value lies on its axis, and which values are written beside it.

const DECADES = 100;
const MOST_TICKS = 5;
const LEAST_GAP = 0.08;

/** A value as short as it can be said, with the minus sign that axes have. */
const brief = (value) => (typeof value === "number" ? String(Number(value.toPrecision(4))).replace("-", "−") : String(value));

/** Whether positive numbers span more than two decades. */
const wide = (low, high) => low > 0 && high / low > DECADES;

/** Whether numbers are drawn by their logarithm: of numbers spread evenly a tenth lies below a tenth of the largest. */
const logarithmic = (values, low, high) => wide(low, high) && values.filter((value) => value < high / 10).length > values.length / 4;

/** Round numbers from `low` to `high`, a few of them. */
function roundTicks(low, high, whole) {
  const rough = (high - low) / MOST_TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(whole ? 1 : 0, [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough));
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, at) => (first + at) * step);
}

/** Powers of ten from `low` to `high`, thinned to a few. */
function powerTicks(low, high) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const step = Math.ceil((last - first + 1) / MOST_TICKS);
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, at) => 10 ** (first + at * step));
}

/** An axis of numbers; `share` gives 0 at its low end and 1 at its high end. */
function numberAxis(name, values) {
  const known = values.filter((value) => value !== null);
  let [low, high] = [Math.min(...known), Math.max(...known)];
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const log = logarithmic(known, low, high);
  const at = log ? Math.log : (value) => value;
  const share = (value) => Math.min(1, Math.max(0, (at(value) - at(low)) / (at(high) - at(low))));
  const apart = [...new Set(known)].sort((a, b) => a - b);
  const round = () => (log ? powerTicks(low, high) : roundTicks(low, high, known.every(Number.isInteger)));
  const readable = apart.length > 1 && apart.length <= MOST_TICKS && apart.every((value, at) => at === 0 || share(value) - share(apart[at - 1]) > LEAST_GAP);
  const ticks = readable ? apart : round();
  return { name: log ? `${name} (log)` : name, share, ticks };
}

/** An axis of texts, evenly apart in the order of the alphabet. */
function textAxis(name, values) {
  const ticks = [...new Set(values.filter((value) => value !== null))].sort();
  return { name, share: (value) => (ticks.indexOf(value) + 0.5) / ticks.length, ticks };
}

function axisOf({ name, values, default: usual }) {
  const all = [...values, usual ?? null];
  return all.some((value) => typeof value === "string") ? textAxis(name, all) : numberAxis(name, all);
}
