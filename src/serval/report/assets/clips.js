// One clip is a position in the columns of `content.clips`; nothing is copied.

const columns = () => content.clips;

const speakerOf = (i) => {
  const at = columns().speaker[i];
  return at < 0 ? "" : columns().speakers[at];
};

const textOf = (i) => (columns().text ? columns().text[i] : "") || "";

const hasSound = (i) => columns().sound[i] >= 0;

const anySound = () => columns().sound.some((place) => place >= 0);

const inGroup = (i, group) => {
  if (!group) return true;
  const [column, value] = group.split(":").map(Number);
  return columns().groups[column].of[i] === value;
};

const mentions = (i, needle) =>
  columns().id[i].toLowerCase().includes(needle)
  || textOf(i).toLowerCase().includes(needle)
  || speakerOf(i).toLowerCase().includes(needle);

const ORDERS = {
  order: { title: "dataset order", by: () => (x, y) => x - y },
  long: { title: "longest first", by: () => (x, y) => columns().duration[y] - columns().duration[x] },
};

const noFilters = () => ({ side: 0, ...task.usual(), speaker: -1, group: "", text: "" });

const passes = (i, f) =>
  task.keeps(i, f)
  && (f.speaker < 0 || columns().speaker[i] === f.speaker)
  && inGroup(i, f.group)
  && (!f.text || mentions(i, f.text.toLowerCase()));

const chosenClips = (f) =>
  columns().id.map((_, i) => i).filter((i) => passes(i, f)).sort(task.orders[f.order].by(f));

let soundStore = null;

// Parsed when the first clip is opened, so that the page is usable before that.
const soundAt = (place) => {
  soundStore ??= JSON.parse(document.getElementById("sounds").textContent);
  return soundStore[place];
};

const soundOf = (i) => (hasSound(i) ? soundAt(columns().sound[i]) : null);
