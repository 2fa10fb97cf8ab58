(function () {
  var root = document.documentElement, key = "lian-report-lang";
  function show(lang) { root.setAttribute("data-lang", lang); root.lang = lang === "zh" ? "zh-CN" : "en"; }
  try { var kept = sessionStorage.getItem(key); if (kept) show(kept); } catch (e) {}
  document.addEventListener("click", function (e) {
    var button = e.target.closest && e.target.closest("[data-to]");
    if (!button) return;
    show(button.getAttribute("data-to"));
    try { sessionStorage.setItem(key, button.getAttribute("data-to")); } catch (e) {}
  });
})();
