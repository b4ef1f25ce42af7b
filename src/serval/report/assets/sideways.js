// Shows on which sides a table goes on that is wider than its place.
const sideways = (place) => {
  const whole = el("div", { class: "sideways" }, place,
    el("p", { class: "more", "aria-hidden": "true" }, "The table goes on: move it sideways. ⟷"));
  const look = () => {
    const rest = place.scrollWidth - place.clientWidth;
    whole.classList.toggle("wider", rest > 1);
    whole.classList.toggle("left", rest > 1 && place.scrollLeft > 1);
    whole.classList.toggle("right", rest > 1 && place.scrollLeft < rest - 1);
  };
  place.addEventListener("scroll", look, { passive: true });
  new ResizeObserver(look).observe(place);
  return whole;
};
