// Runs before the page is drawn, so that a chosen theme does not flash the other one.
try {
  const kept = JSON.parse(localStorage.getItem('galene.settings') ?? '{}');
  if (kept?.theme) document.documentElement.dataset.theme = String(kept.theme);
} catch {
  // Without storage the system's theme is used.
}
