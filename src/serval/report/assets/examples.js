// Clips that a perturbation turned into another emotion: clean and perturbed, one beside the other.

const exampleStages = [];

const paintExamples = () => exampleStages.forEach((stage) => stage.paint());

const sideOf = (example, heard, state) => {
  const stage = stageOf(soundAt(heard.sound), `${example.clip}, ${state}`, heard.seconds);
  exampleStages.push(stage);
  return el("div", {}, el("p", { class: "said" }, `${state}: `,
    el("span", { class: heard.as === example.truth ? "good" : "bad" }, isolated(heard.as)), ` (${percent(heard.sure)} sure)`), stage.whole);
};

const exampleOf = (example) => {
  const [clean, perturbed] = example.heard;
  return el("article", { class: "card example", "aria-label": `${example.clip} under ${example.case}` },
    el("h3", {}, example.case), el("p", { class: "note" }, isolated(example.clip), ", truly ", isolated(example.truth)),
    sideOf(example, clean, "clean"), sideOf(example, perturbed, "perturbed"));
};

// Made when they are opened: a page that nobody listens to need not read its sounds.
const examplesOf = () => {
  if (!content.examples.length) return null;
  const place = el("div", { class: "charts" });
  const open = () => {
    if (!place.childElementCount) place.append(...content.examples.map(exampleOf));
    paintExamples();
  };
  return el("details", { class: "examples", ontoggle: open },
    el("summary", {}, `Hear ${counted(content.examples.length, "clip")} right when clean and wrong when perturbed`), place);
};
