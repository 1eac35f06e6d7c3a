/** Hands the browser a JSON file to download. */
export function saveJson(name: string, value: unknown): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(value, null, 2)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has begun with the click, and holds what it needs.
  setTimeout(() => {
    URL.revokeObjectURL(url);
  });
}
