// Elements are made by name and text is set as text: nothing of a dataset is ever parsed as markup.

const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

// A name from the data, whose direction of writing must not turn what stands beside it.
const isolated = (text) => el("bdi", {}, text);

// Letters of scripts that are written from right to left, with what stands between them in a name.
const RIGHT_TO_LEFT = /([\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+(?:[ _-]+[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+)*)/;

// A sentence in which such names turn nothing of what stands beside them.
const sentence = (text) => text.split(RIGHT_TO_LEFT).map((part, at) => (at % 2 ? isolated(part) : part));

const alikeUpTo = (names) => {
  let at = 0;
  while (names.every((name) => at < name.length && name[at] === names[0][at])) at += 1;
  const word = names[0].slice(0, at).search(/[^ _-]*$/);
  return at - word > 6 ? at : word;
};

// Names with so many letters at most. Those that would be cut to the same lose what they begin with instead.
const shortened = (names, most) => {
  const cut = (name) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
  return new Map(names.map((name) => {
    const alike = names.filter((other) => cut(other) === cut(name));
    return [name, alike.length > 1 ? cut(`…${name.slice(alikeUpTo(alike))}`) : cut(name)];
  }));
};

const widthOf = (node, share) => {
  node.style.width = `${(100 * share).toFixed(2)}%`;
  return node;
};

const known = (value) => value !== null && value !== undefined;

// A half goes to the even digit, as in the sentences, which Python wrote: 3.25 is 3.2 in both.
const oneDigit = (value) => ((4 * value) % 4 === 1 ? Math.floor(value) + 0.2 : value).toFixed(1);

// The same for two digits: 3.125 is 3.12 in both.
const twoDigits = (value) => ((8 * value) % 4 === 1 ? value - 0.005 : value).toFixed(2);

const scored = (share) => (known(share) ? `${twoDigits(100 * share)}\u00a0%` : "n/a");

const percent = (share) => (known(share) ? `${oneDigit(100 * share)}\u00a0%` : "n/a");

// And for none: 12.5 is 12 in both, and 87.5 is 88.
const wholePercent = (share) => {
  const value = 100 * share;
  return value <= 0.5 ? "<\u00a01\u00a0%" : `${value % 2 === 0.5 ? value - 0.5 : Math.round(value)}\u00a0%`;
};

const signOf = (value) => (value > 0 ? "+" : value < 0 ? "-" : "");

const points = (share) => {
  if (!known(share)) return "n/a";
  const text = twoDigits(Math.abs(100 * share));
  return text === "0.00" ? text : `${signOf(share)}${text}`;
};

const counted = (n, what) => `${n.toLocaleString("en-US")} ${what}${n === 1 ? "" : "s"}`;

const seconds = (value) => `${value.toFixed(2)}\u00a0s`;

// A correlation, or a value on its scale.
const decimal = (value) => (known(value) ? `${value <= -0.005 ? "-" : ""}${twoDigits(Math.abs(value))}` : "n/a");

// A difference of two such.
const signed = (value) => `${Math.abs(value) < 0.0005 ? "" : signOf(value)}${Math.abs(value).toFixed(3)}`;

const shown = (value, kind) => {
  if (!known(value)) return "n/a";
  if (kind === "correlation" || kind === "error") return decimal(value);
  if (kind === "signed") return signed(value);
  if (kind === "share") return percent(value);
  if (kind === "score") return scored(value);
  if (kind === "points") return points(value);
  if (kind === "number") return Number(value.toPrecision(4)).toString();
  if (kind === "count") return value.toLocaleString("en-US");
  return String(value);
};

const option = (value, text) => el("option", { value }, text);

const download = (name, type, text) => {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const anchor = el("a", { href: address, download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
};

const PLAIN_NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/;

// What a spreadsheet would run, blanks before it or not; the last four are as East Asia writes them.
const FORMULA = /^(\0|\t|\r|\n|\s*[=+\-@\uff1d\uff0b\uff0d\uff20])/;

// The rule of csv_cell in wording.py, for what is text.
const csvCell = (value) => {
  if (!known(value)) return "";
  const text = typeof value === "string" && !PLAIN_NUMBER.test(value) && FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

const csvOf = (columns, rows) =>
  [columns.map((c) => csvCell(c.title)), ...rows.map((row) => columns.map((c) => csvCell(row[c.key])))]
    .map((cells) => cells.join(","))
    .join("\n") + "\n";

const tableOf = (columns, rows, caption) =>
  el("table", { class: "grid" },
    caption ? el("caption", {}, caption) : null,
    el("thead", {}, el("tr", {}, ...columns.map((c) =>
      el("th", { scope: "col", class: c.kind === "text" ? "text" : false }, c.title)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...columns.map((c, i) =>
      el(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : false, class: c.kind === "text" ? "text" : false },
        shown(row[c.key], c.kind)))))));
