"use strict";
(async () => {
  const by = (id) => document.getElementById(id);
  const fail = (error) => {
    by("fault").textContent = "The charts cannot be shown here: " + error.message;
    by("fault").hidden = false;
  };

  async function unpack() {
    if (!("DecompressionStream" in window)) throw new Error("this browser is older than the page; use a newer one");
    const bytes = Uint8Array.from(atob(by("packed").textContent.trim()), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  function element(name, text, className) {
    const made = document.createElement(name);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  const views = [];
  const options = { renderer: "svg", actions: false, ast: true };

  async function drawChart(name, document, data) {
    const place = by("chart-" + name);
    if (!place || !document) return null;
    const { view } = await vegaEmbed(place, { ...document, datasets: { ...document.datasets, ...data } }, options);
    return view;
  }

  function showStages(network) {
    const head = document.createElement("tr");
    network.titles.forEach((title, index) => head.append(element("th", title, index < 2 ? "left" : "")));
    const rows = network.stages.map((cells) => {
      const row = document.createElement("tr");
      cells.forEach((cell, index) => row.append(element("td", cell, index < 2 ? "left" : "")));
      return row;
    });
    const top = document.createElement("thead");
    const body = document.createElement("tbody");
    top.append(head);
    body.append(...rows);
    by("stages").replaceChildren(top, body);
  }

  function whole(page, index) {
    const network = page.networks[index];
    const parts = (name) => network[name].map((number) => page.parts[number]);
    return { ...network, drawing: parts("drawing").join("\n"), stages: parts("stages"), layers: parts("layers") };
  }

  let shown = 0;
  let saved = "";

  async function show(page, index, moves) {
    const network = whole(page, index);
    const turn = ++shown;
    by("network").hidden = false;
    by("name").textContent = network.label;
    const drawing = by("drawing");
    drawing.hidden = !network.drawing;
    drawing.alt = "Drawing of " + network.label + ": each bar is a unit, as high as it is wide, its map below";
    if (network.drawing) drawing.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(network.drawing);
    by("numbers").replaceChildren(
      ...network.numbers.map(([title, text]) => {
        const pair = document.createElement("div");
        pair.append(element("dt", title), element("dd", text));
        return pair;
      }),
    );
    showStages(network);
    by("commands").textContent = network.commands.join("\n");
    by("spec").textContent = network.spec;
    by("hint").hidden = !network.spec || !network.commands.some((line) => line.includes(network.file + ".json"));
    if (saved) URL.revokeObjectURL(saved);
    saved = URL.createObjectURL(new Blob([network.spec], { type: "application/json" }));
    by("save").href = saved;
    by("save").download = by("save").textContent = network.file + ".json";
    document.querySelectorAll("#networks tbody tr").forEach((row, place) => {
      if (place === index) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    });
    for (const view of views) await view.signal("picked", index).runAsync();
    if (turn === shown) await drawChart("breakdown", page.charts.breakdown, { layers: network.layers });
    if (moves) {
      by("name").focus({ preventScroll: true });
      by("network").scrollIntoView({ block: "start" });
    }
  }

  try {
    const page = await unpack();
    for (const name of Object.keys(page.charts)) {
      if (name === "breakdown") continue;
      const view = await drawChart(name, page.charts[name], page.data);
      if (!view || name === "history") continue;
      views.push(view);
      view.addEventListener("click", (event, item) => {
        if (item && item.datum && Number.isInteger(item.datum.index)) show(page, item.datum.index, true).catch(fail);
      });
    }
    by("networks").addEventListener("click", (event) => {
      const index = event.target.dataset && event.target.dataset.index;
      if (index !== undefined) show(page, Number(index), true).catch(fail);
    });
    if (by("more")) {
      by("more").addEventListener("click", () => {
        document.querySelectorAll("#networks tr[hidden]").forEach((row) => (row.hidden = false));
        by("more").remove();
      });
    }
    await show(page, 0, false);
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    fail(error);
  }
})();
