/** The logo, as `public/icon.svg`, in the theme's colours. */
export function Brand() {
  return (
    <span className="brand">
      <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
        <rect x="2" y="4" width="28" height="26" rx="7" fill="var(--accent-strong)" />
        <path d="M10 2v6M22 2v6" stroke="var(--accent-strong)" strokeWidth="3" strokeLinecap="round" />
        <path
          d="M2 19h7l3-7 5 13 4-9 2 3h7"
          fill="none"
          stroke="var(--on-accent)"
          strokeWidth="2.6"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      </svg>
      Calwire
    </span>
  );
}
