// Elements without markup: whatever an event says goes through textContent or a property, never through a parser.

/** `el("button.primary", { onclick, ariaLabel }, "Save", child)` */
export function el(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key === "style") {
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    } else if (key === "dataset") {
      Object.assign(element.dataset, value);
    } else if (key in element) {
      element[key] = value;
    } else {
      element.setAttribute(key, value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** A short message at the bottom of the window. */
export function toast(text, kind = "info") {
  const message = el(`p.toast.${kind}`, {}, text);
  byId("toasts").append(message);
  setTimeout(() => message.remove(), kind === "error" ? 8000 : 4000);
}

/** Asks one question; resolves with the value of the button, or null. */
export function ask(title, text, choices) {
  const dialog = byId("ask");
  return new Promise((resolve) => {
    const buttons = choices.map(({ label, value, kind }) =>
      el(`button${kind ? `.${kind}` : ""}`, { value, type: "submit" }, label));
    dialog.replaceChildren(el("form", { method: "dialog" },
      el("h2", { id: "ask-title" }, title),
      text ? el("p.quiet", {}, text) : null,
      el("div.actions", {}, el("button", { value: "", type: "submit" }, "Cancel"), el("span.grow"), buttons)));
    dialog.returnValue = "";
    dialog.onclose = () => resolve(dialog.returnValue || null);
    dialog.showModal();
    buttons[0]?.focus();
  });
}
