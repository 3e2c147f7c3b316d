"use strict";
(() => {
  const sections = JSON.parse(document.getElementById("data").textContent);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const say = (words) => { document.getElementById("status").textContent = words; };

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  const save = (name, kind, text) => {
    const address = URL.createObjectURL(new Blob([text], { type: kind }));
    const link = make("a", { href: address, download: name.replace(/[^\w.\-]+/g, "_") });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };

  // Light and dark: as the system has it, until a reader chooses.
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => { try { return localStorage.getItem("depthjax-theme"); } catch { return null; } };
  const paint = (name) => {
    document.documentElement.dataset.theme = name;
    theme.querySelector("span").textContent = name === "dark" ? "Light" : "Dark";
  };
  paint(remembered() || (system.matches ? "dark" : "light"));
  system.addEventListener("change", () => { if (!remembered()) paint(system.matches ? "dark" : "light"); });
  theme.addEventListener("click", () => {
    const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("depthjax-theme", name); } catch { /* a page from disk may not */ }
    paint(name);
    say(`${name} colours`);
  });

  document.addEventListener("click", (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const text = copy.parentElement.querySelector("code");
      const done = () => { copy.textContent = "Copied"; say("The command is copied."); };
      const select = () => {
        getSelection().selectAllChildren(text);
        copy.textContent = "Selected";
      };
      if (navigator.clipboard) navigator.clipboard.writeText(text.textContent).then(done, select);
      else select();
    }
    const chart = event.target.closest("[data-svg]");
    if (chart) {
      const svg = chart.closest("figure").querySelector("svg");
      save(chart.dataset.svg, "image/svg+xml", new XMLSerializer().serializeToString(svg));
    }
  });

  // Galleries.
  for (const gallery of all(".gallery")) {
    const views = all(".view", gallery);
    const { gallery: data } = sections[gallery.dataset.section];
    for (const view of views) {
      for (const kind of ["target", "start"]) {
        const shown = all(`img.${kind}`, views[0]);
        all(`img.${kind}`, view).forEach((image, row) => { image.src = shown[row].src; });
      }
    }
    const choose = () => {
      const choice = all("input:checked", gallery).map((input) => input.value);
      const chosen = data.views.findIndex((view) => view.choice.every((name, axis) => name === choice[axis]));
      const left = views.find((view) => !view.hidden)?.scrollLeft ?? 0;
      views.forEach((view, index) => { view.hidden = index !== chosen; });
      gallery.querySelector(".missing").hidden = chosen >= 0;
      if (chosen >= 0) views[chosen].scrollLeft = left;
      say(chosen >= 0 ? choice.join(", ") : "This combination was not run.");
    };
    for (const input of all(".choice input", gallery)) input.addEventListener("change", choose);
    if (all("input:checked", gallery).length) choose();

    views.forEach((view, index) => {
      const cells = all("button.cell", view);
      cells.forEach((cell, number) => { cell.tabIndex = number ? -1 : 0; });
      const at = (row, column) => cells.find((cell) => +cell.dataset.row === row && +cell.dataset.column === column);
      view.addEventListener("keydown", (event) => {
        const cell = event.target.closest("button.cell");
        const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
        if (!cell || !move) return;
        const next = at(+cell.dataset.row + move[0], +cell.dataset.column + move[1]);
        if (!next) return;
        event.preventDefault();
        cells.forEach((other) => { other.tabIndex = other === next ? 0 : -1; });
        next.focus();
      });
      view.addEventListener("click", (event) => {
        const cell = event.target.closest("button.cell");
        if (cell) open(cell, at, data.views[index].cells);
      });
    });
  }

  // The picture that was chosen.
  const detail = document.getElementById("detail");
  const slider = detail.querySelector("input");
  const canvas = detail.querySelector("canvas");
  let shown = null;

  const open = (cell, at, cells) => {
    const found = cells[cell.dataset.row][cell.dataset.column];
    const name = `${found.image}, recovered from ${found.layer}`;
    const picture = (kind, source, alt) => {
      const image = detail.querySelector(`img.${kind}`);
      image.src = source;
      image.alt = alt;
    };
    const row = cell.closest("tr");
    detail.classList.toggle("pixelated", Boolean(cell.closest(".pixelated")));
    detail.querySelector("h2").textContent = [name, ...found.choice].join(" · ");
    picture("target", row.querySelector("img.target").src, `${found.image}, the target`);
    picture("found", cell.querySelector("img").src, cell.querySelector("img").alt);
    picture("difference", found.difference, `difference of the two; D ${found.d}`);
    detail.querySelector(".result").textContent = `D ${found.d}, r² ${found.r2}, ρ ${found.rho}`;
    const facts = [["best step", found.best], ["stopped by", found.stopped]];
    detail.querySelector("dl").replaceChildren(
      ...facts.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, String(value)))));
    const frames = new Image();
    shown = { cell, at, cells, found, frames };
    [canvas.width, canvas.height] = found.size;
    slider.max = found.frameStep.length - 1;
    slider.value = slider.max;
    frames.onload = () => { if (shown.frames === frames) frame(); };
    frames.src = found.frames;
    if (!detail.open) detail.showModal();
    detail.querySelector(".path").replaceChildren(path(found));
    frame();
  };

  const frame = () => {
    const { found, frames } = shown;
    const index = +slider.value;
    const [width, height] = found.size;
    const words = `step ${found.frameStep[index]}: D ${found.frameD[index]}, ρ ${found.frameRho[index]}`;
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    if (frames.complete) pen.drawImage(frames, 0, index * height, width, height, 0, 0, width, height);
    canvas.setAttribute("aria-label", `iterate at ${words}`);
    slider.setAttribute("aria-valuetext", words);
    detail.querySelector("output").innerText = words.replace(": ", "\n");
    const now = detail.querySelector(".now");
    if (now) {
      const x = now.place(found.frameStep[index]);
      now.setAttribute("d", `M${x} ${now.ends[0]}V${now.ends[1]}`);
    }
  };
  slider.addEventListener("input", frame);

  const neighbour = (step) => {
    const { cell, at, cells } = shown;
    const next = at(+cell.dataset.row, +cell.dataset.column + step);
    if (next) open(next, at, cells);
  };
  detail.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]") || event.target === detail) detail.close();
    const button = event.target.closest("[data-step]");
    if (button) neighbour(+button.dataset.step);
  });
  detail.addEventListener("keydown", (event) => {
    if (event.target === slider) return;
    if (event.key === "ArrowLeft") neighbour(-1);
    if (event.key === "ArrowRight") neighbour(1);
  });
  detail.addEventListener("close", () => { if (shown) shown.cell.focus(); });

  // The descent: D and ρ against the step, both logarithmic.
  const path = (found) => {
    const wide = detail.clientWidth > 600;
    const [width, height, left, right, top, bottom] = [wide ? 640 : 350, 240, 46, 14, 26, 40];
    const draw = (tag, attributes, words) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      if (words !== undefined) element.textContent = words;
      return element;
    };
    const positive = [...found.rhos, ...found.ds, 1].filter((value) => value > 0).map(Math.log10);
    const [low, high] = [Math.min(...positive) - 0.1, Math.max(...positive) + 0.1];
    const last = Math.log10(1 + found.step[found.step.length - 1]) || 1;
    const x = (step) => +(left + (width - left - right) * Math.log10(1 + step) / last).toFixed(1);
    const y = (value) => +(height - bottom - (height - top - bottom) * (Math.log10(value) - low) / (high - low)).toFixed(1);
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "font-size": 12,
      "aria-label": `Descent: ρ from ${found.frameRho[0]} to ${found.frameRho.at(-1)}, D from ${found.frameD[0]} to ${found.frameD.at(-1)}, over ${found.step.at(-1)} steps` });
    const every = Math.max(1, Math.ceil((high - low) / 5));
    for (let power = Math.floor(low); power <= high; power += every) {
      for (const part of high - low < 2.5 ? [1, 3] : [1]) {
        const value = part * 10 ** power;
        if (Math.log10(value) < low || Math.log10(value) > high) continue;
        svg.append(draw("path", { class: "grid", d: `M${left} ${y(value)}H${width - right}` }));
        const name = power >= -3 && power <= 3 ? String(+value.toFixed(3)) : `${part}e${power}`;
        svg.append(draw("text", { class: "tick", x: left - 6, y: y(value) + 4, "text-anchor": "end" }, name));
      }
    }
    for (const step of (wide ? [0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 100000] : [0, 10, 100, 1000, 10000, 100000]).filter((one) => Math.log10(1 + one) <= last)) {
      svg.append(draw("text", { class: "tick", x: x(step), y: height - bottom + 17, "text-anchor": "middle" }, step));
    }
    svg.append(draw("text", { x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, "step (logarithmic)"));
    svg.append(draw("path", { class: "mark", "stroke-dasharray": "4 3", d: `M${left} ${y(1)}H${width - right}` }));
    svg.append(draw("text", { class: "mark-name", x: width - right, y: y(1) - 5, "text-anchor": "end", "font-size": 11 }, "noisy copy 1"));
    [["D, the image", found.ds, 1], ["ρ, the embedding", found.rhos, 0]].forEach(([name, values, colour], number) => {
      const points = values.map((value, index) => (value > 0 ? `${x(found.step[index])} ${y(value)}` : null)).filter(Boolean);
      if (points.length) svg.append(draw("path", { class: `s${colour} line`, fill: "none", "stroke-width": 2,
        "stroke-dasharray": number ? "6 3" : "none", d: `M${points.join("L")}` }));
      svg.append(draw("path", { class: `s${colour} line`, "stroke-width": 2, "stroke-dasharray": number ? "6 3" : "none", d: `M${left + 160 * number} 10h22` }));
      svg.append(draw("text", { x: left + 28 + 160 * number, y: 14 }, name));
    });
    const now = draw("path", { class: "now", "stroke-width": 1.5 });
    now.place = x;
    now.ends = [top, height - bottom];
    svg.append(now);
    return svg;
  };

  // Tables: sorted by any column, filtered by words and by what tells rows apart.
  const shownNumber = (value) => {
    if (value === null) return "–";
    if (value === 0 || Number.isInteger(value)) return String(value);
    const size = Math.abs(value);
    return size >= 1e-3 && size < 1e5 ? String(+value.toPrecision(4)) : value.toExponential(2);
  };

  const fill = (table, { columns, rows }) => {
    const numeric = columns.map((_, index) => rows.some((row) => typeof row[index] === "number"));
    const heads = columns.map((column, index) => {
      const head = make("th", { scope: "col" }, column.label);
      if (numeric[index]) head.className = "num";
      if (column.unit) head.append(make("small", {}, column.unit));
      head.title = [column.name, column.about].filter(Boolean).join(": ");
      const values = new Set(rows.map((row) => row[index]));
      const words = !numeric[index] || ["seed", "restart"].includes(column.name);
      if (words && values.size > 1 && values.size <= 16) head.dataset.filter = "";
      head.dataset.name = column.name;
      return head;
    });
    table.tHead.replaceChildren(make("tr", {}, ...heads));
    table.tBodies[0].replaceChildren(...rows.map((row) => make("tr", {}, ...row.map((value, index) => {
      const cell = make("td", {}, typeof value === "string" ? value : shownNumber(value));
      if (numeric[index]) {
        cell.className = "num";
        cell.dataset.value = value === null ? "" : value;
      }
      return cell;
    }))));
  };

  const text = (cell) => (cell.dataset.value ?? cell.textContent).trim();

  const prepare = (box) => {
    const table = box.querySelector("table");
    const rows = [...table.tBodies[0].rows];
    const heads = [...table.tHead.rows[0].cells];
    const count = make("output", { "aria-live": "polite" });
    const search = make("input", { type: "search", placeholder: "words in a row" });
    const chosen = heads.map((head, index) => {
      if (!("filter" in head.dataset)) return null;
      const options = [...new Set(rows.map((row) => row.cells[index].textContent.trim()))];
      const select = make("select", { "aria-label": head.firstChild.textContent.trim() }, make("option", { value: "" }, "all"), ...options.map((option) => make("option", { value: option }, option)));
      return { index, select, name: head.firstChild.textContent.trim() };
    }).filter(Boolean);

    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const row of rows) {
        const whole = row.textContent.toLowerCase();
        row.hidden = !(words.every((word) => whole.includes(word))
          && chosen.every(({ index, select }) => !select.value || row.cells[index].textContent.trim() === select.value));
        left += !row.hidden;
      }
      count.textContent = left === rows.length ? `${left} rows` : `${left} of ${rows.length} rows`;
    };

    heads.forEach((head, index) => {
      const button = make("button", { type: "button" }, make("span", {}, head.firstChild), ...head.childNodes);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const keys = new Map(rows.map((row) => [row, text(row.cells[index])]));
        const numbers = rows.every((row) => keys.get(row) === "" || !Number.isNaN(Number(keys.get(row))));
        rows.sort((one, other) => {
          const [a, b] = [keys.get(one), keys.get(other)];
          if (a === "" || b === "") return (a === "") - (b === ""); // what is missing comes last
          const order = numbers ? a - b : a.localeCompare(b, undefined, { numeric: true });
          return down ? -order : order;
        });
        table.tBodies[0].append(...rows);
        say(`sorted by ${button.firstChild.textContent}, ${down ? "descending" : "ascending"}`);
      });
    });

    const quoted = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const download = make("button", { type: "button", class: "small" }, "Download these rows (CSV)");
    download.addEventListener("click", () => {
      const names = heads.map((head) => head.dataset.name || head.textContent.trim());
      const lines = [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => [...row.cells].map((cell) =>
        cell.classList.contains("num") && cell.dataset.value !== undefined && !table.matches(".findings") ? cell.dataset.value : cell.textContent.trim()));
      save(`${box.dataset.name}.csv`, "text/csv", [names, ...lines].map((line) => line.map(quoted).join(",")).join("\n") + "\n");
    });

    const filters = make("div", { class: "filters" }, make("label", {}, "search", search),
      ...chosen.map(({ select, name }) => make("label", {}, name, select)), download, count);
    filters.addEventListener("input", apply);
    box.prepend(filters);
    apply();
  };

  for (const panel of all("details.panel")) {
    const box = panel.querySelector(".sortable");
    if (!box) continue;
    const build = () => {
      if (!panel.open || box.dataset.ready) return;
      box.dataset.ready = "yes";
      if (panel.dataset.table !== undefined) {
        fill(box.querySelector("table"), sections[panel.dataset.section].tables[panel.dataset.table]);
      }
      prepare(box);
    };
    panel.addEventListener("toggle", build);
    build();
  }
})();
