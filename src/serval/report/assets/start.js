// Builds the page from its content.

const content = JSON.parse(document.getElementById("content").textContent);

// What differs between pages of one emotion a clip, of several and of values is in these, and nowhere else.
const task = { emotions: EMOTIONS, multilabel: SETS, dimensions: VALUES }[content.task];

const spanOf = (tile, mark) => {
  const bar = el("div", { class: `span ${mark}`, "aria-hidden": "true" });
  const [range, point] = [el("i"), el("b")];
  const [low, value, high] = [tile.low, tile.value, tile.high].map((end) => 100 * Math.max(0, end));
  range.style.left = `${low}%`;
  range.style.width = `${high - low}%`;
  point.style.left = `${value}%`;
  bar.append(range, point);
  return bar;
};

const headline = (tile, value = tile.value) => (tile.kind === "share" ? scored(value) : shown(value, tile.kind));

// An error has no best end to draw a bar towards.
const barred = (tile) => known(tile.low) && tile.kind !== "error";

const rangeOf = (tile) => `${shown(tile.low, tile.kind)} to ${shown(tile.high, tile.kind)}`;

const tileOf = (tile, mark) =>
  el("div", { class: "tile" },
    el("div", { class: "name" }, tile.name),
    el("div", { class: "value" }, headline(tile), tile.unit ? el("small", {}, ` ${tile.unit}`) : null),
    barred(tile) ? spanOf(tile, mark) : null,
    el("div", { class: "range" }, known(tile.low) ? rangeOf(tile) : tile.note || ""));

// The score of a run on the clips that both have; an interval is known of all clips of a run only.
const scoreOfSide = (tile, at, side) => {
  const own = content.runs[side].tiles[at];
  return content.runs[side].clips === content.pair.clips ? own : { kind: own.kind, value: tile["ab"[side]] };
};

const pairTile = (tile, at) =>
  el("div", { class: "tile" },
    el("div", { class: "name" }, tile.name),
    ...content.runs.map((_, side) => scoreOfSide(tile, at, side)).map((own, side) => el("div", { class: "two" },
      el("span", { class: "letter" }, "AB"[side]),
      el("span", { class: "value" }, headline(own)),
      el("span", { class: "range" }, known(own.low) ? rangeOf(own) : ""),
      barred(own) ? spanOf(own, "ab"[side]) : null)),
    el("div", { class: "gap" }, el("strong", {}, `${shown(tile.value, tile.kind)}${tile.kind === "points" ? " points" : ""}`),
      ` (${rangeOf(tile)})`));

const heroOf = () => {
  const tiles = content.pair
    ? content.pair.tiles.map(pairTile)
    : content.runs[0].tiles.map((tile) => tileOf(tile, "a"));
  return el("section", { class: "hero", "aria-label": "Verdict" },
    el("p", { class: "eyebrow" }, content.eyebrow),
    el("h1", {}, ...sentence(content.verdict)),
    ...content.sentences.map((line) => el("p", { class: "sub" }, ...sentence(line))),
    content.caveats.length ? el("div", { class: "card caveats" }, el("h2", {}, "What this number does not mean"),
      el("ul", {}, ...content.caveats.map((line) => el("li", {}, ...sentence(line))))) : null,
    el("div", { class: "tiles" }, ...tiles));
};

const sectionOf = (id, title, lead, ...children) =>
  el("section", { id, "aria-labelledby": `${id}-title` },
    el("h2", { id: `${id}-title`, tabindex: -1 }, title), el("p", { class: "lead" }, ...sentence(lead)), ...children);

const clipsSection = (explorer) =>
  sectionOf("clips", anySound() ? "Listen" : "Clip by clip", content.listen, explorer.whole());

const changedOf = (explorer) => el("div", { class: "card side" },
  el("h3", {}, "In words"),
  el("ul", { class: "words" }, ...content.pair.sentences.map((line) => el("li", {}, ...sentence(line)))),
  el("div", { class: "tools" }, ...task.hearings().map(([filters, title]) =>
    el("button", { type: "button", onclick: () => explorer.hear(filters) }, `${anySound() ? "Hear" : "See"} ${title}`))));

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

const SHORT = { change: "Changes", agreement: "Agreement", values: "Values", scores: "Scores", matrix: content.task === "multilabel" ? "Outcomes" : "Confusions", clips: "Clips", emotions: "Emotions", trust: "Confidence", who: "Groups", run: "Speed", stress: "Stress", shift: "Set", about: "Run again" };

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
  const repaint = () => { paintFigures(); explorer.picture?.paint(); explorer.opened?.paint(); paintExamples(); };
  const [change, ...rest] = content.pair ? chartSections(explorer) : [null, ...chartSections(explorer)];
  const sections = [change, ...task.sections(explorer), clipsSection(explorer), ...rest, aboutSection()].filter(Boolean);
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
