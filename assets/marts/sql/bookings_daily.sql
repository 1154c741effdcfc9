-- Several files of a day may speak of one booking: the newest of them counts.
SELECT
    file_date,
    carrier,
    cabin,
    status,
    currency,
    COUNT(booking_id) AS bookings,
    SUM(fare_amount) AS fare_amount
FROM (
    SELECT
        file_date,
        carrier,
        cabin,
        status,
        currency,
        booking_id,
        fare_amount,
        ROW_NUMBER() OVER (
            PARTITION BY file_date, booking_id ORDER BY landed_at DESC, source_file DESC
        ) AS place
    FROM airlines.fact_booking_status
    WHERE file_date IN %(days)s
) AS ranked
WHERE place = 1
GROUP BY file_date, carrier, cabin, status, currency
