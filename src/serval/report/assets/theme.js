// Light, dark or as the system says; kept for the next visit where the browser allows it.

const THEMES = ["system", "light", "dark"];

const storedTheme = () => {
  try {
    return localStorage.getItem("serval-theme") || "system";
  } catch {
    return "system";
  }
};

const applyTheme = (theme) => {
  document.documentElement.style.colorScheme = theme === "system" ? "light dark" : theme;
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = `Theme: ${theme}`;
  try {
    localStorage.setItem("serval-theme", theme);
  } catch {
    return;
  }
};

const startTheme = (repaint) => {
  let theme = THEMES.includes(storedTheme()) ? storedTheme() : "system";
  applyTheme(theme);
  document.getElementById("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    applyTheme(theme);
    repaint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
};

// The colour that a variable stands for right now, for a canvas or a file.
const colourNow = (name) => {
  const probe = el("span", {});
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
};
