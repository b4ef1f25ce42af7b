// Filters, the list of clips a page at a time, and the open clip beside it.

// Where list and clip are one below the other, the clip opens in the list, below the row that was
// tapped; the list then has no scroll bar of its own, and so fewer rows.
const oneColumn = matchMedia("(max-width: 900px)");

const pageSize = () => (oneColumn.matches ? 20 : 50);

const selectOf = (name, title, entries, change) =>
  el("label", {}, title, el("select", { name, onchange: (event) => change(event.target.value) },
    ...entries.map(([value, text]) => option(value, text))));

const groupEntries = () => [["", "any"], ...columns().groups.flatMap((column, c) =>
  column.few ? column.values.map((value, v) => [`${c}:${v}`, `${column.name}: ${value}`]) : [])];

const speakerEntries = () => {
  const names = columns().speakers.map((name, at) => [String(at), name]);
  names.sort((x, y) => x[1].localeCompare(y[1], "en", { numeric: true }));
  return [["-1", "any"], ...names];
};

const rowOf = (explorer, i) => {
  const speaker = speakerOf(i) ? [isolated(speakerOf(i)), " · "] : [];
  return el("li", {}, el("button", {
    type: "button", class: "row", "data-clip": i, "aria-current": String(i === explorer.open), tabindex: -1,
    onclick: () => explorer.show(i, { play: true }),
  },
  ...task.row(i, explorer.filters.side, explorer.filters),
  el("span", { class: "sub" }, el("span", {}, hasSound(i) ? "♪ " : "", isolated(columns().id[i])),
    el("span", {}, ...speaker, seconds(columns().duration[i])))));
};

class Explorer {
  constructor() {
    this.filters = noFilters();
    this.chosen = [];
    this.page = 0;
    this.open = -1;
    this.opened = null;
    this.form = el("form", { class: "filters card", "aria-label": "Filter the clips", onsubmit: (e) => e.preventDefault() });
    this.count = el("strong", { "aria-live": "polite" });
    this.rows = el("ol", { class: "rows", "aria-label": "Clips" });
    this.pager = el("div", { class: "pager" });
    this.panel = el("article", { class: "card detail", "aria-labelledby": "clip-name" });
    this.beside = el("div", { class: "explorer" });
    this.picture = task.picture(this);
    this.fillForm();
    oneColumn.addEventListener("change", () => {
      this.page = Math.max(0, Math.floor(this.chosen.indexOf(this.open) / pageSize()));
      this.list();
      this.opened?.paint();
    });
  }

  whole() {
    const list = el("div", { class: "card listcard" },
      el("div", { class: "listhead" }, this.count,
        el("button", { type: "button", class: "quiet", onclick: () => this.save() }, "CSV")),
      this.rows, this.pager);
    this.beside.append(this.picture ? el("div", { class: "stacked" }, this.picture.whole, list) : list, this.panel);
    return el("div", { onkeydown: (event) => this.key(event) }, this.form, this.beside,
      el("p", { class: "keys" }, "Keys, with the focus in this section: ", el("kbd", {}, "↓"), " or ", el("kbd", {}, "j"),
        " next, ", el("kbd", {}, "↑"), " or ", el("kbd", {}, "k"), " previous, ", el("kbd", {}, "Space"), " play or pause."));
  }

  fillForm() {
    const set = (name, read = String) => (value) => this.change({ [name]: read(value) });
    const f = this.filters;
    this.form.replaceChildren(...[
      content.runs.length > 1 ? selectOf("side", "By the answers of", [["0", `A ${content.runs[0].name}`], ["1", `B ${content.runs[1].name}`]], set("side", Number)) : null,
      ...task.fields(f, set),
      columns().speakers.length ? selectOf("speaker", "Speaker", speakerEntries(), set("speaker", Number)) : null,
      groupEntries().length > 1 ? selectOf("group", "Group", groupEntries(), set("group")) : null,
      selectOf("order", "Order", Object.entries(task.orders).map(([key, order]) => [key, order.title]), set("order")),
      ...task.behind(f, set),
      el("label", { class: "wide" }, "Search", el("input", { name: "text", type: "search", placeholder: "name, text, speaker",
        oninput: (event) => this.change({ text: event.target.value }) })),
      el("button", { type: "button", class: "quiet", onclick: () => this.reset() }, "Reset filters"),
    ].filter(Boolean));
    this.writeForm();
  }

  writeForm() {
    for (const [name, value] of Object.entries(this.filters)) {
      const field = this.form.elements[name];
      if (field && field.value !== String(value)) field.value = String(value);
    }
  }

  reset() {
    this.change(noFilters());
    this.writeForm();
  }

  // What a person sets also stands in the address.
  change(filters) {
    this.filter(filters);
    this.address(-1);
  }

  address(clip) {
    history.replaceState(null, "", addressOf(this.filters, clip));
  }

  filter(change) {
    Object.assign(this.filters, change);
    this.chosen = chosenClips(this.filters);
    this.page = 0;
    task.filtered(this.filters);
    this.list();
    this.picture?.paint();
    if (this.chosen.length) this.show(this.chosen[0], { focus: false });
    else this.close("No clip is open.");
  }

  close(why) {
    this.open = -1;
    this.opened = null;
    this.picture?.mark(-1);
    this.panel.replaceChildren(el("p", { class: "empty", id: "clip-name", role: "status" }, why));
    this.list();
  }

  hear(filters) {
    this.change({ ...noFilters(), ...filters });
    this.writeForm();
    this.arrive();
  }

  arrive() {
    document.getElementById("clips").scrollIntoView();
    this.rows.querySelector("button")?.focus({ preventScroll: true });
  }

  choose({ side, truth, predicted }) {
    this.change({ ...noFilters(), side, truth, predicted, outcome: "all", order: "sure" });
    this.writeForm();
    this.arrive();
  }

  list() {
    const pages = Math.max(1, Math.ceil(this.chosen.length / pageSize()));
    const from = this.page * pageSize();
    this.count.textContent = counted(this.chosen.length, "clip");
    this.rows.replaceChildren(...this.chosen.slice(from, from + pageSize()).map((i) => rowOf(this, i)));
    this.reachable();
    if (!this.chosen.length) this.rows.append(el("li", { class: "empty" }, "No clip passes these filters."));
    this.rows.scrollTop = 0;
    this.settle();
    this.pager.hidden = pages === 1;
    const turned = (by, text, last) =>
      el("button", { type: "button", name: text, disabled: last, onclick: () => this.turn(by, text) }, text);
    this.pager.replaceChildren(
      turned(-1, "Earlier", this.page === 0),
      el("span", {}, `page ${this.page + 1} of ${pages}`),
      turned(1, "Later", this.page >= pages - 1));
  }

  // One row of the list is a stop for the Tab key, the arrow keys go to the others: the clip behind
  // the list is not fifty stops away.
  reachable() {
    const rows = [...this.rows.querySelectorAll(".row")];
    const stop = rows.find((row) => row.getAttribute("aria-current") === "true") || rows[0];
    for (const row of rows) row.tabIndex = row === stop ? 0 : -1;
  }

  // The list is made anew; the focus stays on the button, or goes to the other at the last page.
  turn(by, pressed) {
    this.page += by;
    this.list();
    (this.pager.querySelector(`[name=${pressed}]:enabled`) || this.pager.querySelector(":enabled"))?.focus();
  }

  rowAt(i) {
    return this.rows.querySelector(`.row[data-clip="${i}"]`);
  }

  // Puts the clip where it is read: beside the list, or below its row.
  settle() {
    const row = oneColumn.matches ? this.rowAt(this.open)?.parentElement : null;
    const place = el("li", { class: "opened" });
    for (const old of this.rows.querySelectorAll(".opened")) old.remove();
    if (row) row.after(place);
    else if (oneColumn.matches && this.open < 0) this.rows.prepend(place);
    else if (!oneColumn.matches) return this.beside.append(this.panel);
    place.append(this.panel);
  }

  show(i, { play = false, focus = false, link = play, hold = link } = {}) {
    this.open = i;
    const at = this.chosen.indexOf(i);
    if (at >= 0 && Math.floor(at / pageSize()) !== this.page) {
      this.page = Math.floor(at / pageSize());
      this.list();
    }
    const before = this.rowAt(i)?.getBoundingClientRect().top;
    this.settle();
    for (const row of this.rows.querySelectorAll(".row")) {
      const here = Number(row.dataset.clip) === i;
      row.setAttribute("aria-current", String(here));
      if (here && focus) row.focus();
    }
    this.reachable();
    const place = at < 0 ? "" : `${at + 1} of ${this.chosen.length}`;
    this.picture?.mark(i);
    this.opened = openClip(this.panel, i, { place, step: (by, pressed) => this.stepFrom(by, pressed), link: () => this.address(i) });
    if (link) this.address(i);
    if (play) this.opened.toggle();
    if (hold && oneColumn.matches) this.hold(i, before);
  }

  // A clip that closes above the row that was tapped would move it from under the finger.
  hold(i, before) {
    const row = this.rowAt(i);
    if (row && known(before)) scrollBy({ top: row.getBoundingClientRect().top - before, behavior: "instant" });
  }

  // A clip that a link names is brought into view.
  reveal() {
    if (oneColumn.matches) (this.rowAt(this.open) || this.panel).scrollIntoView();
  }

  // Who was listening goes on listening.
  step(by, { focus = true } = {}) {
    const next = this.chosen[this.chosen.indexOf(this.open) + by];
    if (next !== undefined) this.show(next, { focus, link: true, play: Boolean(this.opened?.playing()) });
  }

  // The panel is made anew; the focus stays on the button.
  stepFrom(by, pressed) {
    this.step(by, { focus: false });
    this.panel.querySelector(`[name=${pressed}]`).focus({ preventScroll: true });
  }

  key(event) {
    if (event.target.closest("input, select, textarea, audio") || event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (by) this.step(by);
    else if (event.key === " " && !event.target.closest(".tools, .pager, .filters, .listhead")) this.opened?.toggle();
    else return;
    event.preventDefault();
  }

  follow(fragment) {
    const wanted = addressed(fragment);
    if (!wanted) return false;
    this.filter({ ...noFilters(), ...wanted.filters });
    if (wanted.clip !== null) this.openNamed(wanted.clip);
    this.writeForm();
    document.getElementById("clips").scrollIntoView();
    this.reveal();
    return true;
  }

  openNamed(name) {
    const i = columns().id.indexOf(name);
    if (i < 0) return this.close(`There is no clip named “${name}” in this page. Choose one from the list.`);
    if (!this.chosen.includes(i)) this.filter({ ...noFilters(), ...task.everything() });
    this.show(i, { link: false });
  }

  save() {
    const rows = this.chosen.map((i) => ({
      clip: columns().id[i], ...task.cells(i, this.filters.side), speaker: speakerOf(i), text: textOf(i), duration_s: columns().duration[i],
    }));
    download("clips.csv", "text/csv", csvOf(Object.keys(rows[0] || { clip: "" }).map((key) => ({ key, title: key })), rows));
  }
}
