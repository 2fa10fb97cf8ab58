// The place to write in.

/**
 * Calls send when the reader presses Enter and means it. While an input method composes (Chinese, Japanese, Korean), Enter
 * picks a candidate and must not send. Browsers say so in three ways, and no one way is enough: the composition events, the
 * event's isComposing, and key code 229 (Safari ends the composition before the key event and tells only by the code).
 */
export function onEnter(box: HTMLTextAreaElement, send: () => void): void {
  let composing = false;
  box.addEventListener("compositionstart", () => (composing = true));
  box.addEventListener("compositionend", () => (composing = false));
  box.addEventListener("keydown", (e) => {
    if (e.key !== "Enter" || e.shiftKey || composing || e.isComposing || e.keyCode === 229) return;
    e.preventDefault();
    send();
  });
}

/** Lets a text box grow with its text, up to a limit that the style sheet sets. */
export function grow(box: HTMLTextAreaElement): void {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}
