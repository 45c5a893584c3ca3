/** Hours that an alarm of CloudWatch looks back at most. */
const most = 168;

/**
 * Hours after which what comes every so often is missed: twice as long, or as long as an alarm can look back. Undefined:
 * that is no more than once.
 */
export function lookBack(everyHours: number): number | undefined {
  const hours = Math.min(most, Math.ceil(2 * everyHours) + 1);
  return hours > everyHours + 1 ? hours : undefined;
}
