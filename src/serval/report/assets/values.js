// What a page of values lists, draws and says of a clip: how far a prediction is from its rating.

const ratedOf = (i, d) => columns().rated[i * content.dimensions.length + d];

const valueOf = (i, side, d) => columns().runs[side].values[i * content.dimensions.length + d];

const errorOf = (i, side, d) => (known(ratedOf(i, d)) && known(valueOf(i, side, d)) ? valueOf(i, side, d) - ratedOf(i, d) : null);

// Of one dimension, or the mean over all that are known; null where none is.
const meanOf = (d, of) => {
  const found = content.dimensions.map((_, at) => at).filter((at) => d < 0 || at === d).map(of).filter(known);
  return found.length ? d3.mean(found, Math.abs) : null;
};

const meanError = (i, side, d) => meanOf(d, (at) => errorOf(i, side, at));

const movedBy = (i, d) => meanOf(d, (at) => (known(valueOf(i, 0, at)) && known(valueOf(i, 1, at)) ? valueOf(i, 1, at) - valueOf(i, 0, at) : null));

// What is not known comes last.
const largestFirst = (of) => (x, y) => (of(y) ?? -1) - (of(x) ?? -1);

const smallestFirst = (of) => (x, y) => (of(x) ?? Infinity) - (of(y) ?? Infinity);

const ERROR_ORDERS = {
  far: { title: "largest error first", by: ({ side, dimension }) => largestFirst((i) => meanError(i, side, dimension)) },
  near: { title: "smallest error first", by: ({ side, dimension }) => smallestFirst((i) => meanError(i, side, dimension)) },
};

const MOVE_ORDER = { moved: { title: "moved most first", by: ({ dimension }) => largestFirst((i) => movedBy(i, dimension)) } };

const dimensionEntries = () => [["-1", "all, their mean"], ...content.dimensions.map((name, d) => [String(d), name])];

const valueRow = (i, side, { dimension }) => {
  const said = content.dimensions.flatMap((name, d) => (dimension >= 0 && d !== dimension ? []
    : [", ", el("span", { class: "whole" }, isolated(name), ` ${decimal(ratedOf(i, d))} → `, el("span", { class: "to" }, decimal(valueOf(i, side, d))))]));
  return [el("span", { class: "what value" }, ...said.slice(1)), el("span", { class: "conf" }, decimal(meanError(i, side, dimension)))];
};

const furthest = (i, side) => d3.greatest(content.dimensions.map((name, d) => ({ name, d, error: errorOf(i, side, d) })), ({ error }) => (known(error) ? Math.abs(error) : -1));

const saidOfValues = (i) => columns().runs.map((_, side) => {
  const { name, d, error } = furthest(i, side);
  const who = columns().runs.length > 1 ? `${"AB"[side]}: ` : "";
  if (!known(error)) return el("p", { class: "said" }, `${who}nothing to compare`);
  return el("p", { class: "said" }, `${who}${content.dimensions.length > 1 ? "furthest off in " : ""}`, isolated(name),
    `: rated ${decimal(ratedOf(i, d))}, predicted ${decimal(valueOf(i, side, d))}`);
});

const shareOfScale = (value) => Math.max(0, Math.min(1, (value - content.scale[0]) / (content.scale[1] - content.scale[0])));

const valueTableRow = (i, name, d) => {
  const lines = [["rated", ratedOf(i, d), "t"], ...columns().runs.map((_, side) =>
    [columns().runs.length > 1 ? "AB"[side] : "predicted", valueOf(i, side, d), "ab"[side]])].filter(([, value]) => known(value));
  return el("tr", {}, el("th", { scope: "row" }, isolated(name)),
    el("td", { "aria-hidden": "true" }, ...lines.map(([, value, mark]) => barOf(shareOfScale(value), mark))),
    el("td", { class: "n" }, ...lines.map(([what, value]) => el("div", {}, el("span", { class: "unseen" }, `${what} `), decimal(value)))));
};

const valuesOf = (i) => {
  const runs = columns().runs.length > 1 ? content.runs.map((run, side) => [`${"AB"[side]} ${run.name}`, "ab"[side]]) : [["predicted", "a"]];
  return el("table", { class: "probs values" },
    el("caption", {}, `On the scale ${content.scale.join("..")}`, ...[["rated", "t"], ...runs].map(([name, mark]) => el("span", { class: `tag ${mark}` }, name))),
    el("tbody", {}, ...content.dimensions.map((name, d) => valueTableRow(i, name, d))));
};

const valueCells = (i, side) => Object.fromEntries(content.dimensions.flatMap((name, d) =>
  [[`rated ${name}`, ratedOf(i, d)], [`predicted ${name}`, valueOf(i, side, d)]]));

// More points than this hide each other: their density is drawn in their place.
const DENSE = 2000;

const cloudOf = (points, colour) => (points.length > DENSE
  ? [Plot.hexagon(points, Plot.hexbin({ fillOpacity: "count" }, { x: "x", y: "y", binWidth: 11, fill: colour }))]
  : [Plot.dot(points, { x: "x", y: "y", r: points.length > 300 ? 2.4 : 3.4, fill: colour, fillOpacity: 0.5 }),
    points.length >= 50 ? Plot.density(points, { x: "x", y: "y", stroke: colour, strokeOpacity: 0.55, bandwidth: 18, thresholds: 5, clip: true }) : null]);

const wholeScale = (values) => d3.extent([...content.scale, ...values]);

const clipsWhere = (x, y) => columns().id.map((_, i) => ({ i, x: x(i), y: y(i) })).filter((point) => known(point.x) && known(point.y));

// One cloud for each run, in its colour.
const clouds = (x, y) => content.runs.map((_, side) => clipsWhere((i) => x(i, side), (i) => y(i, side)));

const drawnCloud = (of, width, { x, y, marks }) => Plot.plot({
  style: STYLE, width, height: Math.min(width, 360), marginLeft: 48, marginBottom: 40, opacity: { type: "sqrt", range: [0.12, 1] },
  x: { grid: true, ...x }, y: { grid: true, ...y },
  marks: [Plot.gridX(GRID), Plot.gridY(GRID), ...of.flatMap((points, side) => cloudOf(points, COLOURS[side])), ...marks].filter(Boolean),
});

const DASHED = { stroke: "currentColor", strokeDasharray: "4 4", strokeOpacity: 0.7 };

const predicted = ({ dimension: d }, width) => {
  const of = clouds((i) => ratedOf(i, d), (i, side) => valueOf(i, side, d));
  const domain = wholeScale(of.flat().flatMap(({ x, y }) => [x, y]));
  return drawnCloud(of, width, { x: { domain, label: "rated →" }, y: { domain, label: "↑ predicted" },
    marks: [Plot.line(domain.map((end) => [end, end]), DASHED)] });
};

const residuals = ({ dimension: d }, width) => drawnCloud(clouds((i) => ratedOf(i, d), (i, side) => errorOf(i, side, d)), width,
  { x: { domain: content.scale, label: "rated →" }, y: { label: "↑ predicted minus rated", nice: true }, marks: [Plot.ruleY([0], DASHED)] });

const agreement = ({ dimension: d, rows }, width) => {
  const [a, b] = [0, 1].map((side) => (i) => valueOf(i, side, d));
  const points = clipsWhere((i) => (known(a(i)) && known(b(i)) ? (a(i) + b(i)) / 2 : null), (i) => (known(a(i)) && known(b(i)) ? b(i) - a(i) : null));
  const { value, lower, upper } = rows[0];
  return drawnCloud([[], points], width, { x: { label: "mean of A and B →" }, y: { label: "↑ B minus A", nice: true }, marks: [
    Plot.ruleY([value], { stroke: "var(--b)", strokeWidth: 1.4 }), Plot.ruleY([lower, upper], { stroke: "var(--b)", strokeWidth: 1.4, strokeDasharray: "5 4" }),
    Plot.text([value, lower, upper], { y: (y) => y, frameAnchor: "right", dy: -7, text: signed, stroke: "var(--card)", fill: "currentColor" })] });
};

// How far a click may be from its clip, in pixels.
const REACH = 24;

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The plane of two dimensions, or what is rated and predicted of the only one: a click on a clip plays it,
// arrow keys go from clip to clip.
class Plane {
  constructor(explorer) {
    this.explorer = explorer;
    this.points = [];
    this.place = el("div", { class: "plot" });
    this.said = el("p", { class: "note", "aria-live": "polite" });
    this.stage = el("div", { class: "plane", tabindex: 0, role: "application", "aria-roledescription": "scatter plot", "aria-label": `${content.plane.title}. ${content.plane.keys}`,
      onclick: (event) => this.click(event), onkeydown: (event) => this.key(event) }, this.place);
    this.whole = el("figure", { class: "card chart", id: "plane" },
      el("figcaption", {}, el("h3", {}, content.plane.title), el("p", { class: "note" }, content.plane.note)), this.stage,
      el("footer", {}, this.said, el("div", { class: "tools" }, el("button", { type: "button", onclick: () => this.arrive() }, "Go to the clip"))));
  }

  // Where a clip is, by its predictions or, for comparison, by its ratings.
  spot(i, of) {
    const [across, up] = content.plane.dimensions;
    return up === undefined ? [ratedOf(i, across), of(i, across)] : [of(i, across), of(i, up)];
  }

  paint() {
    const { side } = this.explorer.filters;
    const shown = new Set(this.explorer.chosen);
    const [x, y] = [0, 1].map((axis) => (i) => this.spot(i, (clip, d) => valueOf(clip, side, d))[axis]);
    const every = clipsWhere(x, y);
    const points = every.filter(({ i }) => shown.has(i));
    const names = content.plane.axes;
    const width = Math.max(260, Math.floor(this.place.clientWidth));
    this.svg = Plot.plot({
      style: STYLE, width, height: Math.min(width, 440), marginLeft: 48, marginBottom: 40, opacity: { type: "sqrt", range: [0.12, 1] },
      x: { domain: wholeScale(every.map((point) => point.x)), label: `${names[0]} →` }, y: { domain: wholeScale(every.map((point) => point.y)), label: `↑ ${names[1]}` },
      marks: [Plot.gridX(GRID), Plot.gridY(GRID),
        every.length > DENSE ? null : Plot.dot(every, { x: "x", y: "y", r: 2, fill: "currentColor", fillOpacity: 0.14 }),
        ...cloudOf(points, COLOURS[side])].filter(Boolean),
    });
    this.svg.setAttribute("aria-hidden", "true");
    const [across, up] = ["x", "y"].map((name) => this.svg.scale(name));
    this.pixels = ([left, top]) => [across.apply(left), up.apply(top)];
    this.points = points.map((point) => ({ i: point.i, at: this.pixels([point.x, point.y]) }));
    this.place.replaceChildren(this.svg);
    this.mark(this.explorer.open);
  }

  // Rings the open clip, with a line to where its rating is.
  mark(i) {
    this.svg?.querySelector(".open")?.remove();
    const here = this.points.find((point) => point.i === i);
    this.said.textContent = i < 0 ? "" : this.words(i);
    if (!here) return;
    const rated = this.spot(i, ratedOf);
    const [x, y] = here.at;
    const ring = svgOf("g", { class: "open", fill: "none", stroke: "currentColor", "stroke-width": 2 });
    if (rated.every(known)) {
      const [left, top] = this.pixels(rated);
      ring.append(svgOf("path", { d: `M${x},${y}L${left},${top}`, "stroke-width": 1.2 }),
        svgOf("path", { d: `M${left - 5},${top}h10M${left},${top - 5}v10` }));
    }
    ring.append(svgOf("circle", { cx: x, cy: y, r: 7, fill: "var(--card)" }), svgOf("circle", { cx: x, cy: y, r: 3, fill: "currentColor" }));
    this.svg.append(ring);
  }

  words(i) {
    const said = content.dimensions.map((name, d) => `${name} ${decimal(valueOf(i, this.explorer.filters.side, d))} (rated ${decimal(ratedOf(i, d))})`);
    return `${columns().id[i]}: ${said.join(", ")}`;
  }

  click(event) {
    const box = this.svg.getBoundingClientRect();
    const scale = Number(this.svg.getAttribute("width")) / box.width;
    const [x, y] = [scale * (event.clientX - box.left), scale * (event.clientY - box.top)];
    const near = d3.least(this.points, ({ at }) => Math.hypot(at[0] - x, at[1] - y));
    if (near && Math.hypot(near.at[0] - x, near.at[1] - y) <= REACH) this.explorer.show(near.i, { play: true, hold: false });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") this.explorer.opened?.toggle();
    else if (ARROWS[event.key]) this.toward(ARROWS[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // The next clip in a direction; one that lies aside counts as further away.
  toward([right, down]) {
    const from = this.points.find(({ i }) => i === this.explorer.open)?.at || [0, 0];
    const ahead = ({ at }) => right * (at[0] - from[0]) + down * (at[1] - from[1]);
    const aside = ({ at }) => Math.abs(down * (at[0] - from[0])) + Math.abs(right * (at[1] - from[1]));
    const next = d3.least(this.points.filter((point) => ahead(point) > 0.5), (point) => ahead(point) + 2 * aside(point));
    if (next) this.explorer.show(next.i, { link: true, hold: false, play: Boolean(this.explorer.opened?.playing()) });
  }

  arrive() {
    this.explorer.panel.scrollIntoView({ block: "nearest" });
    this.explorer.panel.querySelector("[name=next]")?.focus({ preventScroll: true });
  }
}

const VALUES = {
  usual: () => ({ dimension: -1, order: "far" }),
  keeps: () => true,
  get orders() {
    return { ...ERROR_ORDERS, ...(content.runs.length > 1 ? MOVE_ORDER : {}), ...ORDERS };
  },
  addressed: () => ({ dimension: asName(content.dimensions) }),
  fields: (f, set) => (content.dimensions.length > 1 ? [selectOf("dimension", "Error in", dimensionEntries(), set("dimension", Number))] : []),
  behind: () => [],
  row: valueRow,
  cells: valueCells,
  said: saidOfValues,
  table: valuesOf,
  hearings: () => [[{ order: "moved" }, "what moved most"]],
  everything: () => ({}),
  sections: () => [],
  picture: (explorer) => new Plane(explorer),
  filtered: () => {},
};
