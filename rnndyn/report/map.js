"use strict";
// The map page: values under the pointer; orbit, gradient profile and spectrum of the chosen point of the lattice.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const unpack = (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  };
  const SVG = "http://www.w3.org/2000/svg";
  const COLOURS = ["var(--blue)", "#bf6026", "#53a6a6", "#8f7ae0"];
  const small = (n) => String(n).replace(/\d/g, (d) => "₀₁₂₃₄₅₆₇₈₉"[d]);
  const high = (n) => String(n).replace(/[-\d]/g, (d) => (d === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]));

  function words(value, digits = 3) {
    if (Number.isNaN(value)) return "not known";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    const size = Math.abs(value);
    const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(digits - 1) : String(Number(value.toPrecision(digits)));
    return text.replace(/e([+-]\d+)/, (_, e) => " · 10" + high(Number(e))).replace("-", "−");
  }
  function power(log) { // e**log as a power of ten
    return Number.isFinite(log) ? "10" + high(Math.round(log / Math.LN10)) : log < 0 ? "0" : "∞";
  }
  function element(parent, name, attributes = {}, text = "") {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    parent.append(made);
    return made;
  }
  function ticks(low, high, most) {
    const rough = (high - low) / most, size = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= rough * 0.999);
    const found = [];
    for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; at++) found.push(at * step);
    return found;
  }
  // Axes with ticks and labels inside a viewBox; returns the functions from numbers to places.
  function frame(svg, box, x, y) {
    const toX = (v) => box.left + ((v - x.low) / (x.high - x.low)) * box.width;
    const toY = (v) => box.top + box.height - ((v - y.low) / (y.high - y.low)) * box.height;
    const group = element(svg, "g");
    element(group, "path", { class: "frame", d: `M${box.left},${box.top}V${box.top + box.height}H${box.left + box.width}` });
    for (const v of ticks(Math.min(x.low, x.high), Math.max(x.low, x.high), x.ticks || 6)) {
      element(group, "path", { class: "frame", d: `M${toX(v)},${box.top + box.height}v5` });
      element(group, "text", { x: toX(v), y: box.top + box.height + 18, "text-anchor": "middle" }, words(v));
    }
    for (const v of ticks(Math.min(y.low, y.high), Math.max(y.low, y.high), y.ticks || 4)) {
      element(group, "path", { class: "frame", d: `M${box.left},${toY(v)}h-5` });
      element(group, "text", { x: box.left - 8, y: toY(v) + 4, "text-anchor": "end" }, words(v));
    }
    element(group, "text", { x: box.left + box.width / 2, y: box.top + box.height + 36, "text-anchor": "middle" }, x.label);
    const yGap = box.gap || 46, middle = box.top + box.height / 2;
    element(group, "text", { x: box.left - yGap, y: middle, "text-anchor": "middle", transform: `rotate(-90 ${box.left - yGap} ${middle})` }, y.label);
    return [toX, toY];
  }
  function range(values, zero = false) {
    let low = zero ? 0 : Infinity, high = zero ? 0 : -Infinity;
    for (const v of values) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
    if (low > high) [low, high] = [-1, 1];
    const margin = 0.06 * (high - low) || Math.max(1e-3, 0.1 * Math.abs(high));
    return { low: low - margin, high: high + margin };
  }
  function path(xs, ys, toX, toY) {
    let text = "", pen = "M";
    for (let i = 0; i < xs.length; i++) {
      if (!Number.isFinite(ys[i])) { pen = "M"; continue; }
      text += `${pen}${toX(xs[i]).toFixed(1)},${toY(ys[i]).toFixed(1)}`;
      pen = "L";
    }
    return text;
  }

  // The map.
  const [ax, ay] = data.axes.map((axis) => ({ ...axis, values: unpack(axis.values) }));
  const layers = data.layers.map((layer) => ({ ...layer, values: unpack(layer.values), error: layer.error && unpack(layer.error) }));
  const statuses = data.hatched && { names: data.hatched.names, values: unpack(data.hatched.values) };
  const map = $("map"), box = { left: 62, top: 10, width: 566, height: 456 };
  const image = element(map, "image", { x: box.left, y: box.top, width: box.width, height: box.height, preserveAspectRatio: "none" });
  const clip = element(element(map, "defs"), "clipPath", { id: "inside" });
  element(clip, "rect", { x: box.left, y: box.top, width: box.width, height: box.height });
  const [toX, toY] = frame(map, box, { ...ax, ticks: 8 }, { ...ay, ticks: 6 });
  const over = element(map, "g", { "clip-path": "url(#inside)" });
  data.theory.forEach((curve, number) => {
    for (const branch of curve.branches) {
      if (branch.length === 1) {
        element(over, "circle", { cx: toX(branch[0][0]), cy: toY(branch[0][1]), r: 4, fill: "#fff", stroke: "#000", "stroke-width": 2 });
        continue;
      }
      const d = path(branch.map((p) => p[0]), branch.map((p) => p[1]), toX, toY);
      element(over, "path", { class: "seam", d });
      const line = element(over, "path", { class: "theory", d });
      if (number % 2) line.style.strokeDasharray = "8 3 2 3";
    }
  });
  const lattice = { x: unpack(data.lattice.x), y: unpack(data.lattice.y) };
  const dots = element(over, "g", { class: "lattice" });
  for (const x of lattice.x) for (const y of lattice.y) element(dots, "circle", { cx: toX(x), cy: toY(y), r: 1.3 });
  const rings = [["#fff", 5], ["#000", 2]].map(([stroke, width]) => element(map, "circle", { r: 8, fill: "none", stroke, "stroke-width": width }));

  function key(layer) {
    const place = $("key");
    place.replaceChildren();
    if (layer.bar) {
      const bar = document.createElement("div"), ends = document.createElement("div");
      bar.className = "bar";
      bar.style.background = `linear-gradient(to right, ${layer.bar.colours.join(", ")})`;
      ends.className = "ends";
      for (const text of [words(layer.bar.low, 2), layer.label, words(layer.bar.high, 2)]) {
        const span = document.createElement("span");
        span.textContent = text;
        ends.append(span);
      }
      place.append(bar, ends);
    }
    const list = document.createElement("ul");
    list.className = "swatches";
    for (const entry of layer.classes || []) {
      const item = document.createElement("li"), swatch = document.createElement("i");
      swatch.style.background = entry.colour;
      item.append(swatch, entry.name);
      list.append(item);
    }
    if (data.theory.length) {
      const item = document.createElement("li");
      item.textContent = "theory: " + data.theory.map((curve) => curve.label).join(", ");
      list.append(item);
    }
    place.append(list);
  }
  function show(number) {
    image.setAttribute("href", "data:image/png;base64," + layers[number].image);
    image.setAttribute("aria-label", layers[number].title);
    key(layers[number]);
  }
  layers.forEach((layer, number) => {
    const label = document.createElement("label"), button = document.createElement("input");
    Object.assign(button, { type: "radio", name: "layer", checked: number === 0 });
    button.addEventListener("change", () => show(number));
    label.append(button, " " + layer.title);
    $("layers").append(label);
  });

  function nearest(values, wanted) {
    let best = 0;
    values.forEach((v, i) => { if (Math.abs(v - wanted) < Math.abs(values[best] - wanted)) best = i; });
    return best;
  }
  function under(event) { // the place in the axes' numbers, or null outside
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
    const u = (place.x - box.left) / box.width, v = 1 - (place.y - box.top) / box.height;
    if (u < 0 || u > 1 || v < 0 || v > 1) return null;
    return [ax.low + u * (ax.high - ax.low), ay.low + v * (ay.high - ay.low)];
  }
  function about(layer, at) {
    const value = layer.values[at];
    if (layer.classes) return layer.classes[value] ? layer.classes[value].name : "undecided";
    if (layer.name === "log_norms") return `${layer.label.replace(/ \(.*/, "")} = ${words(value)} (${value > 0 ? `it has grown to ${power(value)}` : `${power(value)} of it arrives`})`;
    const error = layer.error && Number.isFinite(layer.error[at]) ? ` ± ${words(layer.error[at], 1)}` : "";
    return `${layer.label.replace(/ \(.*/, "")} = ${words(value)}${error} ${(layer.label.match(/\((.*)\)/) || ["", ""])[1]}`;
  }
  map.addEventListener("pointermove", (event) => {
    const place = under(event);
    if (!place) return;
    const i = nearest(ax.values, place[0]), j = nearest(ay.values, place[1]), at = i * ay.values.length + j;
    const status = statuses && statuses.names[statuses.values[at]];
    const lines = [`${ax.name} = ${words(ax.values[i], 4)}, ${ay.name} = ${words(ay.values[j], 4)}`];
    for (const layer of layers) lines.push(about(layer, at));
    if (status && status !== "OK") lines.push("status: " + status.toLowerCase().replace("_", " "));
    $("hovered").replaceChildren(...lines.map((text, n) => {
      const line = document.createElement(n ? "div" : "strong");
      line.textContent = text;
      return line;
    }));
  });

  // The chosen point.
  const [nx, ny] = data.lattice.shape;
  const orbit = unpack(data.orbit.values), profile = unpack(data.profile.values);
  const spectrum = unpack(data.spectrum.values), errors = unpack(data.spectrum.errors);
  const panel = { left: 76, top: 22, width: 436, height: 104, gap: 58 };
  const chosen = { i: 0, j: 0 };

  function heading(svg, text) { svg.parentElement.previousElementSibling.textContent = text; svg.setAttribute("aria-label", text); }
  function drawOrbit(p) {
    const svg = $("orbit"), { steps, components, of } = data.orbit, count = components.length;
    svg.replaceChildren();
    const part = orbit.subarray(p * steps.length * count, (p + 1) * steps.length * count);
    const [fx, fy] = frame(svg, panel, { low: steps[0], high: steps[steps.length - 1], label: "step" }, { ...range(part), label: "state" });
    components.forEach((name, c) => {
      const ys = steps.map((_, t) => part[t * count + c]);
      element(svg, "path", { d: path(steps, ys, fx, fy), fill: "none", stroke: COLOURS[c], "stroke-width": 1.2 });
      steps.forEach((t, n) => Number.isFinite(ys[n]) && element(svg, "circle", { cx: fx(t), cy: fy(ys[n]), r: 1.8, fill: COLOURS[c] }));
      if (count > 1) {
        const label = element(svg, "text", { x: panel.left + 14 + 44 * c, y: panel.top - 8 }, name);
        label.style.fill = COLOURS[c];
      }
    });
    heading(svg, `Orbit: the last ${steps.length} states` + (of > count ? `, ${components.join(", ")} of ${of} components` : ""));
  }
  function drawProfile(p) {
    const svg = $("profile"), lags = data.profile.lags;
    svg.replaceChildren();
    const ys = profile.subarray(p * lags.length, (p + 1) * lags.length), slope = spectrum[p * data.spectrum.count];
    const [fx, fy] = frame(svg, panel, { low: 0, high: lags[lags.length - 1], label: "steps back from the loss" }, { ...range(ys, true), label: "ln ‖∂L/∂s‖" });
    element(svg, "path", { class: "zero", d: `M${panel.left},${fy(0)}h${panel.width}` });
    element(svg, "path", { d: path(lags, ys, fx, fy), fill: "none", stroke: COLOURS[0], "stroke-width": 2 });
    const late = lags.map((_, i) => i).filter((i) => i >= lags.length / 2 && Number.isFinite(ys[i]));
    if (late.length && Number.isFinite(slope)) {
      const height = late.reduce((sum, i) => sum + ys[i] - slope * lags[i], 0) / late.length;
      const line = element(svg, "path", { d: path(lags, lags.map((l) => height + slope * l), fx, fy), fill: "none", stroke: "var(--ink)", "stroke-width": 1.4 });
      line.style.strokeDasharray = "6 4";
    }
    const last = ys[lags.length - 1];
    heading(svg, `Gradient: ${last > 0 ? `it has grown to ${power(last)}` : last <= 0 ? `${power(last)} of it is left` : "no number"} after ${lags[lags.length - 1]} steps (dashed: slope λ₁)`);
  }
  function drawSpectrum(p) {
    const svg = $("spectrum"), count = data.spectrum.count;
    svg.replaceChildren();
    const ys = spectrum.subarray(p * count, (p + 1) * count), es = errors.subarray(p * count, (p + 1) * count);
    const low = { ...panel, top: 8, height: 96 };
    const [fx, fy] = frame(svg, low, { low: 0.4, high: count + 0.6, label: "exponent", ticks: Math.min(count, 8) + 1 }, { ...range(ys, true), label: "λ (nat/step)", ticks: 3 });
    element(svg, "path", { class: "zero", d: `M${low.left},${fy(0)}h${low.width}` });
    ys.forEach((value, k) => {
      if (!Number.isFinite(value)) return;
      const colour = value > 0 ? "#c0532f" : "var(--blue)", x = fx(k + 1);
      element(svg, "path", { d: `M${x},${fy(0)}V${fy(value)}`, stroke: colour, "stroke-width": Math.min(22, 300 / count) });
      if (Number.isFinite(es[k])) element(svg, "path", { d: `M${x},${fy(value - es[k])}V${fy(value + es[k])}`, stroke: "var(--ink)", "stroke-width": 2 });
    });
    heading(svg, `Spectrum: λ₁ = ${words(ys[0])} ± ${words(es[0], 1)} nat/step` + (count > 1 ? `, λ${small(count)} = ${words(ys[count - 1])}` : ""));
  }
  function choose(i, j) {
    Object.assign(chosen, { i: Math.min(Math.max(i, 0), nx - 1), j: Math.min(Math.max(j, 0), ny - 1) });
    const p = chosen.i * ny + chosen.j, x = lattice.x[chosen.i], y = lattice.y[chosen.j];
    for (const ring of rings) { ring.setAttribute("cx", toX(x)); ring.setAttribute("cy", toY(y)); }
    const first = spectrum[p * data.spectrum.count];
    const margin = 2 * (errors[p * data.spectrum.count] || 0);
    const clear = first - margin > 0 ? "nearby states part" : first + margin < 0 ? "nearby states meet" : "on the border";
    const verdict = Number.isNaN(first) ? "it leaves every bound" : clear;
    const fixed = Object.entries(data.held).map(([name, value]) => `, ${name} = ${typeof value === "string" ? value : words(value, 4)} (fixed)`).join("");
    $("chosen").textContent = `Chosen: ${ax.name} = ${words(x, 4)}, ${ay.name} = ${words(y, 4)}${fixed}: ${verdict}`;
    drawOrbit(p);
    drawProfile(p);
    drawSpectrum(p);
  }
  map.addEventListener("click", (event) => {
    const place = under(event);
    if (place) choose(nearest(lattice.x, place[0]), nearest(lattice.y, place[1]));
  });
  const up = ay.high > ay.low ? 1 : -1, right = ax.high > ax.low ? 1 : -1;
  map.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 5 : 1;
    const move = { ArrowLeft: [-right, 0], ArrowRight: [right, 0], ArrowUp: [0, up], ArrowDown: [0, -up] }[event.key];
    if (!move) return;
    event.preventDefault();
    choose(chosen.i + far * move[0], chosen.j + far * move[1]);
  });
  show(0);
  choose(Math.floor(nx * 0.75), Math.floor(ny / 2));
})();
