// Builds the page from its content.

const content = JSON.parse(document.getElementById("content").textContent);

const spanOf = (tile, mark) => {
  const bar = el("div", { class: `span ${mark}`, "aria-hidden": "true" });
  const [range, point] = [el("i"), el("b")];
  range.style.left = `${100 * tile.low}%`;
  range.style.width = `${100 * (tile.high - tile.low)}%`;
  point.style.left = `${100 * tile.value}%`;
  bar.append(range, point);
  return bar;
};

const tileOf = (tile, mark) =>
  el("div", { class: "tile" },
    el("div", { class: "name" }, tile.name),
    el("div", { class: "value" }, tile.kind === "share" ? scored(tile.value) : shown(tile.value, tile.kind), tile.unit ? el("small", {}, ` ${tile.unit}`) : null),
    known(tile.low) ? spanOf(tile, mark) : null,
    el("div", { class: "range" }, known(tile.low) ? `${percent(tile.low)} to ${percent(tile.high)}` : tile.note || ""));

const pairTile = (tile, at) =>
  el("div", { class: "tile" },
    el("div", { class: "name" }, tile.name),
    ...content.runs.map((run, side) => el("div", { class: "two" },
      el("span", { class: "letter" }, "AB"[side]),
      el("span", { class: "value" }, scored(run.tiles[at].value)),
      el("span", { class: "range" }, `${percent(run.tiles[at].low)} to ${percent(run.tiles[at].high)}`),
      spanOf(run.tiles[at], "ab"[side]))),
    el("div", { class: "gap" }, el("strong", {}, `${points(tile.value)} points`),
      ` (${points(tile.low)} to ${points(tile.high)})`));

const heroOf = () => {
  const tiles = content.pair
    ? content.pair.tiles.map(pairTile)
    : content.runs[0].tiles.map((tile) => tileOf(tile, "a"));
  const said = content.pair ? [content.pair.margin, ...content.sentences.slice(1)] : content.sentences;
  return el("section", { class: "hero", "aria-label": "Verdict" },
    el("p", { class: "eyebrow" }, content.eyebrow),
    el("h1", {}, content.verdict),
    ...said.map((line) => el("p", { class: "sub" }, line)),
    content.caveats.length ? el("div", { class: "card caveats" }, el("h2", {}, "What this number does not mean"),
      el("ul", {}, ...content.caveats.map((line) => el("li", {}, line)))) : null,
    el("div", { class: "tiles" }, ...tiles));
};

const sectionOf = (id, title, lead, ...children) =>
  el("section", { id, "aria-labelledby": `${id}-title` },
    el("h2", { id: `${id}-title`, tabindex: -1 }, title), el("p", { class: "lead" }, lead), ...children);

const matrixSection = (explorer) => {
  const choose = (cell) => explorer.choose(cell);
  const matrices = content.runs.map((run, side) => el("div", { class: "card" },
    content.runs.length > 1 ? el("h3", {}, `${"AB"[side]} ${run.name}`) : null, matrixOf(run, side, choose)));
  const side = (run, at) => el("div", { class: "card side" },
    el("h3", {}, content.runs.length > 1 ? `${"AB"[at]}: most frequent confusions` : "Most frequent confusions"),
    topConfusions(run, at, choose), el("h3", {}, "What stands out"),
    ...run.observations.map((line) => el("p", {}, line)));
  const body = content.runs.length > 1
    ? el("div", { class: "pair" }, ...matrices, ...content.runs.map(side))
    : el("div", { class: manyClasses() ? "stacked" : "split" }, matrices[0], side(content.runs[0], 0));
  return sectionOf("matrix", "What is taken for what",
    "A row is the true emotion, a column what the model heard. The stronger the colour, the larger the share of the row.", body);
};

const clipsSection = (explorer) =>
  sectionOf("clips", anySound() ? "Listen" : "Clip by clip", content.listen, explorer.whole());

const changedOf = (explorer) => el("div", { class: "card side" },
  el("h3", {}, "In words"),
  el("ul", { class: "words" }, ...content.pair.sentences.map((line) => el("li", {}, line))),
  el("div", { class: "tools" }, ...["flips", "lost", "won"].map((outcome) =>
    el("button", { type: "button", onclick: () => explorer.hear(outcome) }, `${anySound() ? "Hear" : "See"} ${OUTCOMES[outcome].title}`))));

const chartSections = (explorer) => content.sections.map((section) =>
  sectionOf(section.id, section.title, section.lead,
    el("div", { class: `charts ${section.id}` }, section.id === "change" ? changedOf(explorer) : null, ...section.charts.map(figureOf)),
    section.id === "stress" ? examplesOf() : null));

const aboutSection = () => sectionOf("about", "Run it again", "What was run on what, and the command that does it again.",
  el("div", { class: "pair" }, ...content.runs.map((run) => el("div", { class: "card" },
    el("h3", {}, run.name),
    el("dl", { class: "facts" }, ...run.facts.flatMap(([name, value]) => [el("dt", {}, name), factOf(name, value)]))))));

const CODE = ["Command", "Model sha256", "Data fingerprint"];

const factOf = (name, value) => el("dd", {}, CODE.includes(name) ? el("code", {}, value) : value);

const SHORT = { change: "Changes", matrix: "Confusions", clips: "Clips", emotions: "Emotions", trust: "Confidence", who: "Groups", run: "Speed", stress: "Stress", shift: "Set", about: "Run again" };

const navigation = (sections) => document.getElementById("sections").append(...sections.map((section) =>
  el("a", { href: `#${section.id}` }, SHORT[section.id] || section.id)));

const repaintLater = (repaint) => {
  let waiting = 0;
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(repaint, 150);
  });
  for (const [name, paper] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(name, () => {
      document.documentElement.classList.toggle("paper", paper);
      repaint();
    });
  }
};

const start = () => {
  const explorer = new Explorer();
  const repaint = () => { paintFigures(); explorer.opened?.paint(); paintExamples(); };
  const [change, ...rest] = content.pair ? chartSections(explorer) : [null, ...chartSections(explorer)];
  const sections = [change, matrixSection(explorer), clipsSection(explorer), ...rest, aboutSection()].filter(Boolean);
  document.getElementById("page").append(heroOf(), ...sections);
  document.getElementById("foot").append(content.foot);
  navigation(sections);
  startTheme(repaint);
  explorer.filter({});
  explorer.follow(location.hash);
  addEventListener("hashchange", () => explorer.follow(location.hash));
  repaintLater(repaint);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
  setTimeout(paintInTurn, 0);
};

start();
