"use strict";
// The tables inside this page are compressed; a click on one saves it as plain CSV where the browser can unpack it.
for (const link of document.querySelectorAll("a[data-csv]")) {
  if (!link.href.startsWith("data:") || typeof DecompressionStream === "undefined") continue;
  link.addEventListener("click", async (event) => {
    if (event.isTrusted === false) return;
    event.preventDefault();
    const bytes = Uint8Array.from(atob(link.href.split(",")[1]), (c) => c.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const saved = document.createElement("a");
    saved.href = URL.createObjectURL(new Blob([await new Response(plain).arrayBuffer()], { type: "text/csv" }));
    saved.download = link.dataset.csv;
    saved.click();
    URL.revokeObjectURL(saved.href);
  });
}
