// What a page of several emotions a clip lists, filters and says of a clip: which emotions it has, and which of
// them the model names.

const NO_EMOTION = "no emotion";

const trueOf = (i) => columns().truth[i];

const namedOf = (i, side) => columns().runs[side].named[i];

const scoreOf = (i, side, label) => columns().runs[side].probs[i * content.labels.length + label] / 10000;

const missedOf = (i, side) => trueOf(i).filter((label) => !namedOf(i, side).includes(label));

const extraOf = (i, side) => namedOf(i, side).filter((label) => !trueOf(i).includes(label));

const foundOf = (i, side) => trueOf(i).filter((label) => namedOf(i, side).includes(label));

const wrongOf = (i, side) => [...missedOf(i, side), ...extraOf(i, side)];

const setName = (labels) => (labels.length ? labels.map((label) => content.labels[label]).join(", ") : NO_EMOTION);

const differ = (i) => known(namedOf(i, 0)) && known(namedOf(i, 1)) && String(namedOf(i, 0)) !== String(namedOf(i, 1));

// Of any emotion, or of the one that is chosen.
const some = (labels, emotion) => (emotion < 0 ? labels.length > 0 : labels.includes(emotion));

const SET_OUTCOMES = {
  wrong: { title: "an emotion wrong", keep: (i, side, emotion) => some(wrongOf(i, side), emotion) },
  missed: { title: "an emotion missed", keep: (i, side, emotion) => some(missedOf(i, side), emotion) },
  extra: { title: "one named in error", keep: (i, side, emotion) => some(extraOf(i, side), emotion) },
  right: { title: "right", keep: (i, side, emotion) => (emotion < 0 ? !wrongOf(i, side).length : foundOf(i, side).includes(emotion)) },
  all: { title: "all", keep: (i, side, emotion) => emotion < 0 || trueOf(i).includes(emotion) || namedOf(i, side).includes(emotion) },
  flips: { title: "answers differ", pair: true,
    keep: (i, _, emotion) => differ(i) && (emotion < 0 || namedOf(i, 0).includes(emotion) !== namedOf(i, 1).includes(emotion)) },
};

// How far the score of the worst wrong answer is from right; of a clip without one, 0.
const worstOf = (i, side) => (known(namedOf(i, side))
  ? d3.max(wrongOf(i, side), (label) => Math.abs(scoreOf(i, side, label) - Number(trueOf(i).includes(label)))) ?? 0 : -1);

const SURE_ORDERS = {
  sure: { title: "surest error first", by: ({ side }) => (x, y) => worstOf(y, side) - worstOf(x, side) },
  many: { title: "most errors first", by: ({ side }) => (x, y) => wrongCount(y, side) - wrongCount(x, side) },
};

const wrongCount = (i, side) => (known(namedOf(i, side)) ? wrongOf(i, side).length : -1);

const keepsSet = (i, f) => (known(namedOf(i, f.side)) ? SET_OUTCOMES[f.outcome].keep(i, f.side, f.emotion) : f.outcome === "all" && f.emotion < 0);

const setOutcomeEntries = () => Object.entries(SET_OUTCOMES)
  .filter(([, outcome]) => !outcome.pair || content.runs.length > 1)
  .map(([key, outcome]) => [key, outcome.title]);

const firstSetOutcome = () => (columns().id.some((_, i) => known(namedOf(i, 0)) && wrongOf(i, 0).length) ? "wrong" : "all");

const namedText = (i, side) => (known(namedOf(i, side)) ? setName(namedOf(i, side)) : "no prediction");

const isSetRight = (i, side) => known(namedOf(i, side)) && !wrongOf(i, side).length;

const setRow = (i, side) => {
  const other = content.runs.length > 1 ? [`; ${"BA"[side]}: `, isolated(namedText(i, 1 - side))] : [];
  return [
    el("span", { class: isSetRight(i, side) ? "what ok" : "what" }, isolated(setName(trueOf(i))), " → ",
      el("bdi", { class: "to" }, namedText(i, side)), ...other),
    el("span", { class: "conf" }, known(namedOf(i, side)) ? `${wrongOf(i, side).length} wrong` : "")];
};

const saidOfSet = (i) => columns().runs.map((_, side) => el("p", { class: "said" },
  isolated(setName(trueOf(i))), `, ${columns().runs.length > 1 ? `${"AB"[side]} ` : ""}named `,
  el("bdi", { class: isSetRight(i, side) ? "good" : "bad" }, namedText(i, side))));

const setTableRow = (i, label, sides) => {
  const truth = trueOf(i).includes(label);
  const tags = sides.filter((side) => namedOf(i, side).includes(label))
    .map((side) => el("span", { class: `tag ${"ab"[side]}` }, content.runs.length > 1 ? "AB"[side] : "named"));
  if (truth) tags.unshift(el("span", { class: "tag t" }, "truth"));
  return el("tr", { class: truth ? "truth" : false },
    el("th", { scope: "row" }, isolated(content.labels[label]), ...tags),
    el("td", {}, ...sides.map((side) => barOf(scoreOf(i, side, label), "ab"[side]))),
    el("td", { class: "n" }, ...sides.map((side) => el("div", {}, percent(scoreOf(i, side, label))))));
};

const setTable = (i) => {
  const sides = columns().runs.map((_, side) => side).filter((side) => known(namedOf(i, side)));
  return el("table", { class: "probs" },
    el("caption", {}, sides.length > 1 ? `Scores: A ${content.runs[0].name}, B ${content.runs[1].name}` : "Scores"),
    el("tbody", {}, ...content.labels.map((_, label) => setTableRow(i, label, sides))));
};

const KINDS = [["found", "found", "right"], ["missed", "missed", "missed"], ["extra", "named in error", "extra"]];

// A cell is a button that shows its clips; none is a number.
const outcomeCell = (explorer, side, label, [kind, title, outcome]) => {
  const count = content.runs[side].outcomes[kind][label];
  return el("td", {}, count ? el("button", { type: "button", class: "link", "data-kind": kind, "data-label": label,
    onclick: () => explorer.hear({ side, outcome, emotion: label }) },
  count.toLocaleString("en-US"), el("span", { class: "unseen" }, ` of ${content.labels[label]} ${title}`)) : "0");
};

const outcomesOf = (explorer, run, side) => el("div", { class: "card" },
  content.runs.length > 1 ? el("h3", {}, `${"AB"[side]} ${run.name}`) : null,
  sideways(el("div", { tabindex: 0, role: "region", "aria-label": "Table: what is found, missed and named in error" },
    el("table", { class: "grid outcomes" },
      el("caption", {}, `${counted(run.clips, "clip")}. Choose a number to ${anySound() ? "hear" : "see"} its clips.`),
      el("thead", {}, el("tr", {}, el("th", { scope: "col", class: "text" }, "emotion"), ...KINDS.map(([, title]) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, ...content.labels.map((name, label) => el("tr", {},
        el("th", { scope: "row", class: "text" }, isolated(name)), ...KINDS.map((kind) => outcomeCell(explorer, side, label, kind)))))))));

const outcomesSection = (explorer) => sectionOf("matrix", "What is found, missed and named in error",
  "A clip counts in the row of each emotion that it has or that the model names.",
  el("div", { class: "pair" }, ...content.runs.map((run, side) => outcomesOf(explorer, run, side))));

const SETS = {
  usual: () => ({ outcome: firstSetOutcome(), emotion: -1, order: "sure" }),
  keeps: keepsSet,
  orders: { ...SURE_ORDERS, ...ORDERS },
  addressed: () => ({ outcome: asKey(SET_OUTCOMES), emotion: asName(content.labels) }),
  fields: (f, set) => [
    selectOf("outcome", "Show", setOutcomeEntries(), set("outcome")),
    selectOf("emotion", "Emotion", labelEntries(), set("emotion", Number))],
  behind: () => [],
  row: setRow,
  cells: (i, side) => ({ truth: setName(trueOf(i)), named: namedText(i, side),
    ...Object.fromEntries(content.labels.map((name, label) => [`score of ${name}`, scoreOf(i, side, label)])) }),
  said: saidOfSet,
  table: setTable,
  hearings: () => [[{ outcome: "flips" }, "where the answers differ"]],
  everything: () => ({ outcome: "all" }),
  sections: (explorer) => [outcomesSection(explorer)],
  picture: () => null,
  filtered: () => {},
};
