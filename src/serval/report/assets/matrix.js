// A confusion matrix whose cells are buttons: a cell shows its clips.

// Where white letters become easier to read on the cell's colour than black ones.
const WHITE_ABOVE = 0.83;

// With more classes than this there is no room for names side by side: they are turned.
const manyClasses = () => content.labels.length > 12;

const matrixCell = (run, side, t, p, total, choose) => {
  const count = run.counts[t][p];
  const share = total ? count / total : 0;
  const right = t === p;
  const button = el("button", {
    type: "button",
    class: `${right ? "on" : "off"}${right && share > WHITE_ABOVE ? " dark" : ""}${count ? "" : " none"}`,
    tabindex: t === 0 && p === 0 ? 0 : -1,
    "aria-pressed": "false",
    "data-run": side, "data-t": t, "data-p": p,
    onclick: () => choose({ side, truth: t, predicted: p }),
  },
  String(count), count ? el("small", {}, wholePercent(share)) : null,
  el("span", { class: "unseen" }, ` of ${content.labels[t]}, predicted ${content.labels[p]}`));
  // A small share still has to be seen: the colour grows with its root.
  button.style.setProperty("--share", String(right ? share : Math.sqrt(share) * 0.9));
  return el("td", {}, button);
};

const moveInMatrix = (event) => {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const from = event.target.closest("button[data-t]");
  if (!step || !from) return;
  event.preventDefault();
  const [t, p] = [Number(from.dataset.t) + step[0], Number(from.dataset.p) + step[1]];
  const to = event.currentTarget.querySelector(`button[data-t="${t}"][data-p="${p}"]`);
  if (!to) return;
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
};

const matrixOf = (run, side, choose) => {
  const short = shortened(content.labels, manyClasses() ? 16 : Infinity);
  const head = el("tr", {}, el("td", { class: "corner" }, "predicted →", el("br"), "truth ↓"),
    ...content.labels.map((label) => el("th", { scope: "col", title: label }, isolated(short.get(label)))));
  const rows = content.labels.map((label, t) => {
    const total = run.counts[t].reduce((sum, n) => sum + n, 0);
    return el("tr", {},
      el("th", { scope: "row", title: label }, isolated(label), el("small", {}, counted(total, "clip"))),
      ...content.labels.map((_, p) => matrixCell(run, side, t, p, total, choose)));
  });
  const table = el("table", { class: manyClasses() ? "matrix many" : "matrix", onkeydown: moveInMatrix },
      el("caption", {}, `${counted(run.clips, "clip")}. Choose a cell to ${anySound() ? "hear" : "see"} its clips; arrow keys move between cells.`),
      el("thead", {}, head), el("tbody", {}, ...rows));
  table.style.setProperty("--classes", String(content.labels.length));
  return sideways(el("div", { class: "scroll", tabindex: -1 }, table));
};

const markCell = (filters) => {
  for (const button of document.querySelectorAll("button[data-t]")) {
    const here = Number(button.dataset.run) === filters.side
      && Number(button.dataset.t) === filters.truth && Number(button.dataset.p) === filters.predicted;
    button.setAttribute("aria-pressed", String(here));
  }
};

const topConfusions = (run, side, choose) => {
  const all = [];
  run.counts.forEach((row, t) => row.forEach((count, p) => {
    if (t !== p && count) all.push({ t, p, count, share: count / row.reduce((a, b) => a + b, 0) });
  }));
  all.sort((x, y) => y.count - x.count || y.share - x.share);
  return el("ul", { class: "list-plain" }, ...all.slice(0, 7).map(({ t, p, count, share }) =>
    el("li", {}, el("button", {
      type: "button", class: "link", onclick: () => choose({ side, truth: t, predicted: p }),
    }, el("span", {}, isolated(content.labels[t]), " taken for ", isolated(content.labels[p])),
    el("span", {}, `${count} · ${percent(share)}`)))));
};
