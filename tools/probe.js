function probe(view, sheet) {
  // Called with the window of a page, and the height of the paper that it is printed on or null; returns what is wrong with its
  // looks, in words.
  const page = view.document, found = [];
  const say = (what, element) => {
    if (found.length < 40) found.push(`${what}: ${(element.textContent || element.outerHTML).trim().slice(0, 60)}`);
  };
  const shown = element => element.checkVisibility ? element.checkVisibility() : element.getClientRects().length > 0;
  const rectOf = element => element.getBoundingClientRect();

  // Nothing reaches beyond the window, and nothing is cut by what holds it.
  const width = page.documentElement.clientWidth;
  if (page.documentElement.scrollWidth > width + 1) found.push(`the page is ${page.documentElement.scrollWidth} wide in a window of ${width}`);
  for (const element of page.querySelectorAll("body *")) {
    if (!shown(element) || element.closest("svg") || element.closest("thead")) continue;
    const style = view.getComputedStyle(element);
    if (style.overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1 && style.display !== "inline") say("cut by its box", element);
    if (style.overflowY === "hidden" && element.scrollHeight > element.clientHeight + 1) say("cut by its box", element);
  }

  // Pictures: loaded, and every element within the picture's frame.
  for (const image of page.images) if (!image.complete || image.naturalWidth === 0) found.push(`picture not there: ${image.src.slice(0, 60)}`);
  for (const svg of page.querySelectorAll("svg")) {
    if (!shown(svg)) continue;
    const frame = rectOf(svg);
    if (frame.width < 20 || frame.height < 20) say("picture without size", svg);
    if (!svg.getAttribute("aria-label")) say("picture without words", svg);
    for (const part of svg.querySelectorAll("text,rect,line,path,circle")) {
      const box = rectOf(part), slack = 1.5;
      if (box.left < frame.left - slack || box.right > frame.right + slack || box.top < frame.top - slack || box.bottom > frame.bottom + slack)
        say("beyond its picture", part.tagName === "text" ? part : svg.getAttribute("aria-label") && part);
    }
    for (const label of svg.querySelectorAll("text")) {
      const style = view.getComputedStyle(label);
      if (!shown(label) || style.visibility !== "visible" || Number(style.opacity) < 0.5 || rectOf(label).width === 0) say("hidden label", label);
    }
  }

  // Paper: a picture that fits on a sheet is kept on one, and nothing is left that a reader would click.
  if (sheet !== null) {
    for (const figure of page.querySelectorAll("figure")) {
      if (view.getComputedStyle(figure).breakInside !== "avoid") say("may be split across sheets", figure);
      if (rectOf(figure).height > sheet) say(`${Math.round(rectOf(figure).height)} high on a sheet of ${sheet}`, figure);
    }
    for (const link of page.querySelectorAll("nav, figure details:not([open])")) if (shown(link)) say("cannot be clicked on paper", link);
    if (view.getComputedStyle(page.body).backgroundColor !== "rgb(255, 255, 255)") found.push("the paper is not white");
  }

  // Texts: each with the boxes of its lines.
  const texts = [], walk = page.createTreeWalker(page.body, view.NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, element = node.parentElement;
    if (!node.data.trim() || element.closest("script,style,title,thead") || !shown(element)) continue;
    const range = page.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) if (box.width > 1 && box.height > 1) texts.push({ box, element });
  }
  if (texts.length < 5) found.push("the page has next to no text");
  texts.sort((a, b) => a.box.top - b.box.top);
  texts.forEach((one, index) => {
    for (let next = index + 1; next < texts.length && texts[next].box.top < one.box.bottom - 2; next++) {
      const other = texts[next];
      const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      if (across > 2 && down > 3 && one.element !== other.element) say(`on top of "${one.element.textContent.trim().slice(0, 30)}"`, other.element);
    }
  });

  // Contrast with whatever lies behind, and nothing in front (WCAG 2.1, 1.4.3).
  const parse = text => { const n = (text.match(/[\d.]+/g) || []).map(Number); return n.length < 3 ? null : [n[0], n[1], n[2], n.length > 3 ? n[3] : 1]; };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const luminance = c => { const [r, g, b] = c.map(v => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const paint = element => {
    const style = view.getComputedStyle(element);
    const inPicture = element.ownerSVGElement && element.tagName !== "text";
    if (element.tagName === "line" || element.tagName === "path") return null;
    const colour = parse(inPicture ? style.fill : style.backgroundColor);
    return colour && [colour[0], colour[1], colour[2], colour[3] * (inPicture ? Number(style.fillOpacity) : 1)];
  };
  for (const { box, element } of texts) {
    view.scrollTo(0, 0);
    view.scrollTo(0, Math.max(0, box.top - 300));
    const x = box.left + box.width / 2, y = box.top + box.height / 2 - view.scrollY;
    if (x < 0 || x > width) continue;
    const stack = page.elementsFromPoint(x, y);
    const place = stack.findIndex(one => one === element || element.contains(one) || one.contains(element));
    const covering = stack.slice(0, Math.max(place, 0)).filter(one => one !== element && !one.contains(element));
    const opaque = covering.find(one => { const c = paint(one); return c && c[3] > 0.6; });
    // What an ancestor draws in front of its own child (::after) is hit before the child.
    const byOwn = stack.length > 0 && stack[0] !== element && stack[0].contains(element) && stack.includes(element);
    if (opaque || byOwn) { say("covered", element); continue; }
    let ground = [255, 255, 255, 1];
    for (const one of stack.slice().reverse()) {
      if (one === element && element.ownerSVGElement) break;
      const colour = paint(one);
      if (colour && colour[3] > 0) ground = over(colour, ground);
    }
    const style = view.getComputedStyle(element), ink = parse(element.ownerSVGElement ? style.fill : style.color);
    const ratio = contrast(over(ink, ground), ground);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)}`, element);
  }
  return found;
}
