// Numbers with their units.

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"];

// As the command line prints them: 1 kB is 1,000 bytes.
export function bytes(count) {
  const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), PREFIXES.length - 1);
  const value = count / 1000 ** power;
  return `${power === 0 ? Math.round(value) : value.toFixed(value < 10 ? 1 : 0)} ${PREFIXES[power]}B`;
}

export function duration(millis) {
  const seconds = Math.floor(millis / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
}
