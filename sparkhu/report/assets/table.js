// A table of any length: sorted, filtered, saved as CSV; only the rows in view are built.

const ROW_HEIGHT = 32;
const SPARE_ROWS = 8;
const WIDTHS = { text: 130, time: 165, count: 88, number: 92, share: 88 };
const NARROW_SCREEN = matchMedia("(max-width: 46rem)").matches;
const WIDE = {
  unique_id: NARROW_SCREEN ? 140 : 170, status: 160, reason: 420, group: 120, kept_because: 420,
  "ledger.step": 170, "ledger.status": 80, "ledger.reason": 375, "ledger.counts": 280, "trials.message": 300,
};
const COMPARE = {
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => a === b,
};

class DataTable {
  /** `content` has `columns` (key, label, format, views) and `data`, a list a column. */
  constructor(host, name, content, onOpen) {
    Object.assign(this, { host, name, onOpen, columns: content.columns, data: content.data });
    this.rows = this.data.length ? this.data[0].length : 0;
    this.views = [...new Set(this.columns.flatMap((column) => column.views ?? []))];
    this.view = this.views[0];
    this.sort = null;
    this.query = "";
    this.order = Uint32Array.from({ length: this.rows }, (_, row) => row);
    this.build();
    this.refresh();
  }

  build() {
    this.input = Object.assign(document.createElement("input"), { type: "search", placeholder: "Filter: text, or column>value" });
    this.input.setAttribute("aria-label", `Filter ${this.name}`);
    const keys = this.columns.map((column) => column.key).join(", ");
    this.input.title = `Words must all occur; a column can be compared, as in ${this.columns[0].key}=x or n>5. Columns: ${keys}`;
    this.input.addEventListener("input", () => this.filter(this.input.value));
    this.tally = el("output");
    const save = el("button", "save", "Save as CSV");
    save.type = "button";
    save.addEventListener("click", () => this.save());
    this.tools = el("div", "tools", this.input, this.tabs(), this.tally, save);
    this.table = el("table");
    this.scroll = el("div", "scroll", this.table);
    this.scroll.tabIndex = 0;
    this.scroll.setAttribute("role", "region");
    this.scroll.setAttribute("aria-label", `Table: ${this.name}`);
    this.scroll.addEventListener("scroll", () => requestAnimationFrame(() => { this.draw(); this.hint(); }), { passive: true });
    this.frame = el("div", "frame", this.scroll);
    new ResizeObserver(() => this.hint()).observe(this.scroll);
    this.host.replaceChildren(this.tools, this.frame);
  }

  /** A shade at the right edge says that there are more columns behind it, and the tally how to see them. */
  hint() {
    const more = this.scroll.scrollWidth - this.scroll.clientWidth - this.scroll.scrollLeft > 2;
    this.frame.classList.toggle("beyond", more);
  }

  tabs() {
    if (this.views.length < 2) return null;
    const buttons = this.views.map((view) => {
      const button = el("button", "", view);
      button.type = "button";
      button.setAttribute("aria-pressed", String(view === this.view));
      button.addEventListener("click", () => this.show(view));
      return button;
    });
    this.buttons = buttons;
    return el("span", "tabs", ...buttons);
  }

  show(view) {
    this.view = view;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.textContent === view));
    this.head();
    this.draw();
  }

  /** Places of the columns in view. */
  visible() {
    return [...this.columns.keys()].filter((at) => !this.columns[at].views || this.columns[at].views.includes(this.view));
  }

  head() {
    const places = this.visible();
    const widths = places.map((at) => WIDE[`${this.name}.${this.columns[at].key}`] ?? WIDE[this.columns[at].key] ?? WIDTHS[this.columns[at].format]);
    this.table.style.minWidth = `${widths.reduce((sum, width) => sum + width, 0)}px`;
    const cols = widths.map((width) => Object.assign(el("col"), { style: `width:${width}px` }));
    const heads = places.map((at) => this.heading(at));
    this.body = el("tbody");
    this.table.replaceChildren(el("colgroup", "", ...cols), el("thead", "", el("tr", "", ...heads)), this.body);
    this.drawn = null;
    this.hint();
  }

  heading(at) {
    const column = this.columns[at];
    const button = el("button", "", column.label);
    button.type = "button";
    button.title = `Sort by ${column.key}`;
    button.addEventListener("click", () => this.sortBy(at));
    const head = el("th", this.isNumeric(at) ? "num" : "", button);
    head.scope = "col";
    if (this.sort?.at === at) head.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
    return head;
  }

  isNumeric(at) {
    return !["text", "time"].includes(this.columns[at].format);
  }

  /** First click: largest first for numbers, A first for text; second click: the other way. */
  sortBy(at) {
    const down = this.sort?.at === at ? !this.sort.down : this.isNumeric(at);
    this.sort = { at, down };
    this.refresh();
  }

  filter(query) {
    this.query = query;
    if (this.input.value !== query) this.input.value = query;
    this.scroll.scrollTop = 0;
    this.refresh();
  }

  /** Filter, and show a view that has the column asked for. */
  ask(query) {
    const [, key] = query.match(/^([a-z_0-9]+)[<>=]/) ?? [];
    const views = this.columns.find((column) => column.key === key)?.views ?? [];
    if (views.length && !views.includes(this.view)) this.show(views[0]);
    this.filter(query);
  }

  /** Tests of a row, one a word of the query: `column>value` compares, anything else must occur as text. */
  tests() {
    return this.query.trim().toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
      const [, key, sign, value] = word.match(/^([a-z_0-9]+)(<=|>=|<|>|=)(.+)$/) ?? [];
      const at = this.columns.findIndex((column) => column.key === key);
      if (at < 0) return (row) => this.text(row).includes(word);
      if (this.isNumeric(at)) return (row) => this.data[at][row] !== null && COMPARE[sign](this.data[at][row], Number(value));
      return (row) => String(this.data[at][row] ?? "").toLowerCase().startsWith(value);
    });
  }

  /** All text of a row in lower case; kept, since every key press asks again. */
  text(row) {
    this.texts ??= new Array(this.rows);
    const places = this.columns.keys();
    return (this.texts[row] ??= [...places].filter((at) => !this.isNumeric(at)).map((at) => this.data[at][row] ?? "").join("\n").toLowerCase());
  }

  refresh() {
    const tests = this.tests();
    const rows = Array.from({ length: this.rows }, (_, row) => row).filter((row) => tests.every((test) => test(row)));
    if (this.sort) rows.sort(this.comparison());
    this.order = rows;
    const all = this.rows.toLocaleString("en");
    this.tally.textContent = rows.length === this.rows ? `${all} rows` : `${rows.length.toLocaleString("en")} of ${all} rows`;
    this.head();
    this.draw();
  }

  /** Empty values stay last whichever way the column is sorted. */
  comparison() {
    const values = this.data[this.sort.at];
    const way = this.sort.down ? -1 : 1;
    const compare = this.isNumeric(this.sort.at) ? (a, b) => a - b : new Intl.Collator("en", { numeric: true }).compare;
    return (one, other) => {
      const [a, b] = [values[one], values[other]];
      if (a === null || b === null) return (a === null) - (b === null);
      return way * compare(a, b) || one - other;
    };
  }

  draw() {
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
    const inView = Math.ceil((this.scroll.clientHeight || 430) / ROW_HEIGHT) + 2 * SPARE_ROWS;
    const last = Math.min(this.order.length, first + inView);
    if (this.drawn === first) return;
    this.drawn = first;
    const places = this.visible();
    const rows = [];
    for (let index = first; index < last; index += 1) rows.push(this.row(this.order[index], places));
    const below = (this.order.length - last) * ROW_HEIGHT;
    this.body.replaceChildren(this.space(first * ROW_HEIGHT), ...rows, this.space(below));
    if (!this.order.length) this.body.replaceChildren(el("tr", "nothing", Object.assign(el("td", "", "No row matches."), { colSpan: places.length })));
  }

  space(height) {
    const cell = el("td");
    cell.style.height = `${height}px`;
    const row = el("tr", "space", cell);
    row.hidden = height === 0;
    return row;
  }

  row(row, places) {
    const cells = places.map((at) => this.cell(row, at));
    const line = el("tr", this.onOpen ? "open" : "", ...cells);
    if (this.onOpen) line.addEventListener("click", () => this.onOpen(this.data[0][row]));
    return line;
  }

  cell(row, at) {
    const value = this.data[at][row];
    const text = String(WRITE[this.columns[at].format](value));
    if (at === 0 && this.onOpen) {
      const link = el("a", "", text);
      link.href = seriesAddress(value);
      link.title = text;
      return el("td", "", link);
    }
    const cell = el("td", this.isNumeric(at) ? "num" : "", text);
    if (!this.isNumeric(at)) cell.title = text;
    return cell;
  }

  /**
   * The rows in view of the filter, in their order, with every column (RFC 4180). A spreadsheet would run text that
   * begins like a formula; an apostrophe before it makes it text there.
   */
  csv() {
    const quote = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const plain = (value) => (typeof value === "string" ? value.replace(/^[=+\-@\t\r]/, "'$&") : String(value ?? ""));
    const lines = [this.columns.map((column) => quote(plain(column.key)))];
    for (const row of this.order) lines.push(this.data.map((values) => quote(plain(values[row]))));
    return lines.map((line) => `${line.join(",")}\r\n`).join("");
  }

  save() {
    const link = el("a");
    link.href = URL.createObjectURL(new Blob([this.csv()], { type: "text/csv" }));
    link.download = `${this.name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
}
