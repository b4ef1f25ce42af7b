// A chart with what it says, its table, and both as files.

const figures = [];

const paintFigure = ({ chart, place }) => {
  const width = Math.max(260, Math.floor(place.clientWidth));
  const svg = DRAWN[chart.kind](chart, width);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${chart.title}. ${chart.note} The same numbers are in the table below.`);
  // Inside of a picture these names of marks would be read out as they are.
  for (const mark of svg.querySelectorAll("g[aria-label]")) mark.removeAttribute("aria-label");
  place.replaceChildren(svg);
};

const paintFigures = () => figures.forEach(paintFigure);

// One chart at a time, so that the page answers between two of them.
const paintInTurn = (at = 0) => {
  if (at >= figures.length) {
    document.documentElement.dataset.drawn = String(Math.round(performance.now()));
    return;
  }
  paintFigure(figures[at]);
  setTimeout(paintInTurn, 0, at + 1);
};

// The file has to look right without this page: variables become colours, the page's font is named.
const svgText = (svg) => {
  const copy = svg.cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("color", colourNow("--ink"));
  copy.setAttribute("font-family", "system-ui, sans-serif");
  const back = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of [["width", "100%"], ["height", "100%"], ["fill", colourNow("--card")]]) back.setAttribute(name, value);
  copy.prepend(back);
  return new XMLSerializer().serializeToString(copy)
    .replace(/var\((--[a-z-]+)\)/g, (_, name) => colourNow(name));
};

const legendOf = (chart) => {
  const single = chart.kind === "perClass" && content.runs.length === 1;
  if (!single && (content.runs.length < 2 || ["differences", "table"].includes(chart.kind))) return null;
  const entries = single ? ["recall", "precision", "F1"] : content.runs.map((run, side) => `${"AB"[side]} ${run.name}`);
  return el("div", { class: "legend" }, ...entries.map((name, at) =>
    el("span", {}, el("i", { class: "abc"[at] }), name)));
};

const figureOf = (chart) => {
  const place = el("div", { class: "plot" });
  const columnsOf = chart.columns;
  if (DRAWN[chart.kind] && chart.rows.length) figures.push({ chart, place });
  const table = el("div", { class: "tall", tabindex: 0, role: "region", "aria-label": `Table: ${chart.title}` },
    tableOf(columnsOf, chart.rows));
  const tools = el("div", { class: "tools" },
    el("button", { type: "button", "aria-label": `${chart.title} as CSV`,
      onclick: () => download(`${chart.id}.csv`, "text/csv", csvOf(columnsOf, chart.rows)) }, "CSV"),
    DRAWN[chart.kind] ? el("button", { type: "button", "aria-label": `${chart.title} as SVG`,
      onclick: () => download(`${chart.id}.svg`, "image/svg+xml", svgText(place.querySelector("svg"))) }, "SVG") : null);
  const open = !DRAWN[chart.kind];
  return el("figure", { class: `card chart${chart.wide ? " wide" : ""}`, id: `chart-${chart.id}` },
    el("figcaption", {}, el("h3", {}, chart.title), el("p", { class: "note" }, chart.note)),
    legendOf(chart), DRAWN[chart.kind] ? place : null,
    el("footer", {}, el("details", { open }, el("summary", {}, `Table (${chart.rows.length} rows)`), table), tools));
};
