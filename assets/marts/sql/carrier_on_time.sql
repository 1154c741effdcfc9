-- Sums of the daily mart, not of the fact: what it costs does not grow with the number of flights.
SELECT
    RANK() OVER (ORDER BY on_time_percent DESC) AS place,
    carrier,
    first_date,
    last_date,
    flights,
    cancelled,
    diverted,
    on_time_flights,
    ROUND(on_time_percent, 3) AS on_time_percent,
    -- A mean of daily means would weigh a quiet day like a busy one.
    ROUND(total_arr_delay / NULLIF(flights - cancelled - diverted, 0), 3) AS avg_arr_delay
FROM (
    SELECT
        carrier,
        MIN(flight_date) AS first_date,
        MAX(flight_date) AS last_date,
        SUM(flights) AS flights,
        SUM(cancelled) AS cancelled,
        SUM(diverted) AS diverted,
        SUM(flights - cancelled - diverted - delayed_flights) AS on_time_flights,
        CAST(SUM(flights - cancelled - diverted - delayed_flights) AS DECIMAL(18, 6)) * 100
            / SUM(flights) AS on_time_percent,
        CAST(SUM(total_arr_delay) AS DECIMAL(18, 6)) AS total_arr_delay
    FROM airlines.carrier_daily_delays
    GROUP BY carrier
) AS sums
