// The theme that was chosen on this page before; see src/theme.ts, which writes it.
try {
  const theme = localStorage.getItem('calwire-demo-theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.calwireTheme = theme;
} catch {
  // A browser that keeps nothing for this page shows it in the system's theme.
}
