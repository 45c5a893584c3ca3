/**
 * What a person would complain about in a page: text that is cut, covered, outside of the window, or hardly to be told from
 * its ground; a page that is too wide. The browser runs it (test/support/eyes.ts), so it knows nothing around it.
 */
/* global document, window, getComputedStyle, matchMedia, NodeFilter, SVGElement, HTMLElement */
(() => {
  const found = [];
  const root = document.scrollingElement ?? document.documentElement;
  if (root.scrollWidth > window.innerWidth)
    found.push(`the page is ${String(root.scrollWidth)} wide in a window of ${String(window.innerWidth)}`);

  const rgba = (color) => {
    const [red = 0, green = 0, blue = 0, alpha = 1] = (color.match(/[\d.]+/g) ?? ["0", "0", "0", "0"]).map(Number);
    return color === "none" || color === "transparent" ? [0, 0, 0, 0] : [red, green, blue, alpha];
  };
  /** The relative luminance of WCAG 2. */
  const luminance = ([red, green, blue]) => {
    const [r = 0, g = 0, b = 0] = [red, green, blue].map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const isSvg = (element) => element instanceof SVGElement;
  /** The colour right below a point's text. */
  const groundAt = (x, y) => {
    for (const element of document.elementsFromPoint(x, y)) {
      if (element.localName === "text" || element.localName === "tspan") continue;
      const style = getComputedStyle(element);
      const color = rgba(isSvg(element) && element.localName !== "svg" ? style.fill : style.backgroundColor);
      if (color[3] > 0.99) return color;
    }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const follows = getComputedStyle(document.documentElement).colorScheme.includes("dark");
    return dark && follows ? [18, 18, 18, 1] : [255, 255, 255, 1];
  };

  const pieces = [];
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement;
    const words = (node.textContent ?? "").trim();
    if (element === null || words === "" || element.closest("head, style, script, title") !== null) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = isSvg(element) ? [element.getBoundingClientRect()] : [...range.getClientRects()];
    for (const box of boxes) if (box.width > 0) pieces.push({ words, element, box });
    if (boxes.every(({ width }) => width === 0)) found.push(`"${words}" is not shown`);
  }

  const inside = (box, around, slack = 0.5) =>
    box.left >= around.left - slack &&
    box.right <= around.right + slack &&
    box.top >= around.top - slack &&
    box.bottom <= around.bottom + slack;
  const covers = (one, other) =>
    Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1 &&
    // Lines of text are allowed to touch: a box is higher than its letters.
    Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 3;

  for (const { words, element, box } of pieces) {
    if (box.left < -0.5 || box.right > window.innerWidth + 0.5) found.push(`"${words}" is outside of the window`);
    for (let around = element; around !== null; around = around.parentElement) {
      const { overflowX, overflowY } = getComputedStyle(around);
      const clips = !isSvg(around) && [overflowX, overflowY].some((value) => value === "hidden" || value === "clip");
      if (clips && !inside(box, around.getBoundingClientRect())) found.push(`"${words}" is cut`);
    }
    // In a picture, the text of a card belongs within its border.
    const card = isSvg(element) ? element.parentElement?.querySelector(":scope > .card") : undefined;
    if (card && !inside(box, card.getBoundingClientRect(), -4)) found.push(`"${words}" leaves its card`);
    const tag = element.classList.contains("tag-text") ? element.previousElementSibling : null;
    if (tag !== null && !inside(box, tag.getBoundingClientRect(), -1.5)) found.push(`"${words}" leaves its tag`);
  }
  pieces.forEach((one, index) => {
    for (const other of pieces.slice(index + 1))
      if (one.element !== other.element && covers(one.box, other.box))
        found.push(`"${one.words}" and "${other.words}" lie on each other`);
  });

  const seen = new Set();
  for (const { words, element, box } of pieces) {
    if (seen.has(element)) continue;
    seen.add(element);
    element.scrollIntoView({ block: "nearest" });
    const at = element.getBoundingClientRect();
    const first = isSvg(element) ? at.width / 2 : 1; // a line of text may be shorter than its element
    const [x, y] = [(isSvg(element) ? at.left : box.left) + first, at.top + Math.min(at.height, box.height) / 2];
    const [top] = document.elementsFromPoint(x, y);
    if (top !== undefined && !top.contains(element) && !element.contains(top)) found.push(`"${words}" is covered`);
    const { color, fill, fontSize, fontWeight } = getComputedStyle(element);
    const ground = groundAt(x, y);
    const ratio = contrast(rgba(isSvg(element) ? fill : color), ground);
    const size = Number.parseFloat(fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5))
      found.push(
        `"${words}" has a contrast of ${ratio.toFixed(1)}: ${isSvg(element) ? fill : color} on ${ground.join()}`,
      );
  }
  window.scrollTo(0, 0);
  const { body } = document; // an SVG alone has none
  const text = body instanceof HTMLElement ? body.innerText : pieces.map(({ words }) => words).join("\n");
  return { text, troubles: [...new Set(found)] };
})();
