// Applies the saved theme before the first paint; `src/theme.ts` saves it.
try {
  const theme = localStorage.getItem('calwire-demo-theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.calwireTheme = theme;
} catch {
  // Without storage the system's theme applies.
}
