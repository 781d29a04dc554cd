// Unpacking what the page carries: inert elements with gzipped, base-64 text.

const byId = (id) => document.getElementById(id);

/** Text carried by the element `id`; null where the page has no such element. */
async function unpack(id) {
  const holder = byId(id);
  if (!holder) return null;
  const packed = Uint8Array.from(atob(holder.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

const unpackJson = async (id) => JSON.parse(await unpack(id));

/** The charting library, unpacked and run when the first chart is drawn. */
let library = null;
function chartLibrary() {
  library ??= unpack("plotly").then((text) => {
    const script = document.createElement("script");
    script.textContent = text;
    document.head.append(script);
    return window.Plotly;
  });
  return library;
}

/** An element with a class and children; strings become text, never HTML. */
function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Rising instants in milliseconds, from microseconds written as the first and then the steps. */
function instants(steps) {
  let now = 0;
  return steps.map((step) => (now += step) / 1000);
}

/** A number with as many digits as it deserves. */
function digits(value) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return value.toLocaleString("en", { maximumFractionDigits: 0 });
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-4) return value.toExponential(1);
  return value.toLocaleString("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
}

const WRITE = {
  text: (value) => value ?? "–",
  time: (value) => value ?? "–",
  count: digits,
  number: digits,
  share: (value) => (value === null ? "–" : `${(100 * value).toFixed(value > 0 && (value < 0.1 || value > 0.99) && value < 1 ? 1 : 0)} %`),
};

const READABLE = { seasonal_naive: "seasonal naive", last_value: "last value" };
const modelName = (name) => READABLE[name] ?? String(name).replaceAll("_", " ");
