// The address of the page says which clip is open and which filters are set, by their names: it can be
// sent to somebody, and lasts where another page of the same run has its clips in another order.

const asName = (names) => ({ write: (id) => names[id], read: (name) => names.indexOf(name) });

const asNumber = { write: String, read: (text) => (/^[0-9]{1,3}$/.test(text) ? Number(text) : -1) };

const asKey = (known) => ({ write: String, read: (key) => (Object.hasOwn(known, key) ? key : -1) });

const asGroup = {
  write: (group) => {
    const [column, value] = group.split(":").map(Number);
    return `${columns().groups[column].name}:${columns().groups[column].values[value]}`;
  },
  read: (text) => groupEntries().find(([group]) => group && asGroup.write(group) === text)?.[0] ?? -1,
};

// What stands in the address for each filter; -1 is what cannot be read, and is left as it was.
const ADDRESSED = () => ({
  side: asName(["A", "B"].slice(0, content.runs.length)), ...task.addressed(), speaker: asName(columns().speakers), group: asGroup,
  text: { write: String, read: String }, order: asKey(task.orders),
});

const addressOf = (filters, clip) => {
  const usual = noFilters();
  const parts = Object.entries(ADDRESSED())
    .filter(([name]) => filters[name] !== usual[name])
    .map(([name, { write }]) => `${name}=${encodeURIComponent(write(filters[name]))}`);
  if (clip >= 0) parts.unshift(`clip=${encodeURIComponent(columns().id[clip])}`);
  return `#${parts.join("&") || "clips"}`;
};

const decodeName = (name) => {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
};

// `{ clip, filters }` of an address, or null where it is of neither. A name that somebody typed may
// have a `&` in it: what follows it and is no filter belongs to the name.
const addressed = (fragment) => {
  const known = ADDRESSED();
  const found = {};
  let last = "";
  for (const part of fragment.slice(1).split("&")) {
    const [, key, value] = /^([a-z]+)=(.*)$/s.exec(part) || [];
    if (key === "clip" || Object.hasOwn(known, key ?? "")) found[(last = key)] = value;
    else if (last) found[last] += `&${part}`;
  }
  if (!last) return null;
  const { clip, ...rest } = found;
  const read = Object.entries(rest).map(([name, value]) => [name, known[name].read(decodeName(value))]);
  return { clip: clip === undefined ? null : decodeName(clip), filters: Object.fromEntries(read.filter(([, value]) => value !== -1)) };
};
