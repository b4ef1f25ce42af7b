// Sorts the tables; everything else on the page is there without a script.

const valueOf = (row, column) => {
  const cell = row.children[column];
  const number = cell.dataset.value;
  if (number === undefined) return cell.textContent.trim().toLowerCase();
  return number === "" ? null : Number(number);
};

// What has no value stays below, whichever way the others are sorted.
const compared = (a, b, direction) => {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "string") return direction * a.localeCompare(b);
  return direction * (a - b);
};

const sortBy = (table, header) => {
  const column = [...header.parentNode.children].indexOf(header);
  const before = header.getAttribute("aria-sort");
  const first = header.dataset.first;
  const order = before === null ? first : before === "ascending" ? "descending" : "ascending";
  for (const other of header.parentNode.children) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", order);
  const body = table.tBodies[0];
  const direction = order === "ascending" ? 1 : -1;
  const rows = [...body.rows].map((row) => [row, valueOf(row, column)]);
  rows.sort((a, b) => compared(a[1], b[1], direction));
  body.append(...rows.map(([row]) => row));
};

for (const button of document.querySelectorAll(".sort")) {
  const header = button.closest("th");
  button.addEventListener("click", () => sortBy(header.closest("table"), header));
}

for (const place of document.querySelectorAll(".scroll")) {
  const spot = el("span");
  place.replaceWith(spot);
  spot.replaceWith(sideways(place));
}

for (const line of document.querySelectorAll("h1, .sub, .said, .lead, .read li")) line.replaceChildren(...sentence(line.textContent));

startTheme(() => {});
document.documentElement.dataset.drawn = "true";
